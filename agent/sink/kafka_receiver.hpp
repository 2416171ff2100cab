// This file is the receiver of kind kafka as the agent sees it: a module that is loaded when a sink of this
// kind is made, so that nothing else needs librdkafka. What it does is in kafka_producer.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/sink_settings.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

/// Where flowtally_kafka.so is looked for, in this order: FLOWTALLY_MODULES if it is set, and nowhere else
/// then; else beside the running program, and in /usr/lib/flowtally.
[[nodiscard]] std::vector<std::string> module_directories();

/// kUnsupported: the module is in none of the directories, cannot be loaded, or is of another build;
/// kInvalidArgument: the settings. Loads once, for as long as the process lives.
[[nodiscard]] base::Result<std::unique_ptr<Receiver>> make_kafka_receiver(
    const model::SinkSettings& settings, model::LogType log_type,
    const std::vector<std::string>& directories = module_directories());

}  // namespace flowtally::sink
