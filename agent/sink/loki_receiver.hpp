// This file is the receiver of kind loki: Grafana Loki's push API, in JSON.
#pragma once

#include <memory>

#include "base/result.hpp"
#include "model/sink_settings.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

/// `settings.receiver` is of this kind. kInvalidArgument: what is wrong with it; kNotFound: a file of the TLS
/// settings.
[[nodiscard]] base::Result<std::unique_ptr<Receiver>> make_loki_receiver(const model::SinkSettings& settings,
                                                                         model::LogType log_type);

}  // namespace flowtally::sink
