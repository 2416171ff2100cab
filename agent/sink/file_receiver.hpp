// This file is the receiver of kind file: lines of JSON, one item each, in a file that is rotated by its
// size. Delivered is what is on the disk. What a crash tore is cut when the file is opened again.
#pragma once

#include <memory>

#include "base/result.hpp"
#include "journal/file_system.hpp"
#include "model/sink_settings.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

/// `settings.receiver` is of this kind. Opens nothing yet: a disk that is not there is a matter of the first
/// send(). kInvalidArgument: what is wrong with the settings. `files` must outlive the receiver.
[[nodiscard]] base::Result<std::unique_ptr<Receiver>> make_file_receiver(
    const model::SinkSettings& settings, model::LogType log_type,
    journal::FileSystem& files = journal::posix_file_system());

}  // namespace flowtally::sink
