// This file is the receiver of kind splunk.
#pragma once

#include <memory>

#include "base/result.hpp"
#include "model/sink_settings.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

/// `settings.receiver` is of this kind. Contacts nobody yet. kInvalidArgument, kNotFound: what is wrong with
/// the settings.
[[nodiscard]] base::Result<std::unique_ptr<Receiver>> make_splunk_receiver(
    const model::SinkSettings& settings, model::LogType log_type);

}  // namespace flowtally::sink
