// This file is the receiver of kind s3: an object for each batch, in any store that speaks S3's protocol.
//
// An object's key is made of its first item alone: the node, the start of its window and its number in the
// journal. A batch that was not acknowledged begins with the same record when it is sent again, by this
// process or a later one, so it replaces the object that may have been made, with the same items and perhaps
// more behind them: each item is in one object, however often it was tried.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "model/sink_settings.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

/// `settings.receiver` is of this kind. kInvalidArgument: what is wrong with it; kNotFound: a file of the TLS
/// settings.
[[nodiscard]] base::Result<std::unique_ptr<Receiver>> make_s3_receiver(const model::SinkSettings& settings,
                                                                       model::LogType log_type);

/// PREFIX/YYYY/MM/DD/HH/NODE-START-NUMBER[.PART].ndjson[.gz|.zst], in the hour of the window's start; with
/// more logs than one, `prefix` should tell them apart: "{log}" in it is network or configuration.
[[nodiscard]] std::string object_key(const std::string& prefix, const Batch& batch, const Item& first,
                                     model::Compression compression);

}  // namespace flowtally::sink
