// This file is the receiver of kind syslog: RFC 5424 messages over TCP or TLS. Nobody acknowledges them: what
// the other end's TCP has taken counts as delivered, which is all that can be known.
#pragma once

#include <memory>

#include "base/result.hpp"
#include "model/sink_settings.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

/// `settings.receiver` is of this kind. kInvalidArgument: what is wrong with it; kNotFound: a file of the TLS
/// settings.
[[nodiscard]] base::Result<std::unique_ptr<Receiver>> make_syslog_receiver(
    const model::SinkSettings& settings, model::LogType log_type);

}  // namespace flowtally::sink
