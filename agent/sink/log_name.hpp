// This file puts the name of a log where settings have a place for it: "{log}" in a topic, a prefix, a path.
#pragma once

#include <string>
#include <string_view>

#include "model/sink_settings.hpp"

namespace flowtally::sink {

inline constexpr std::string_view kLogPlace = "{log}";

/// `text` with "network" or "configuration" in every place.
[[nodiscard]] inline std::string with_log_name(std::string text, model::LogType log_type) {
  const std::string_view name = model::log_type_name(log_type);
  for (std::size_t at = text.find(kLogPlace); at != std::string::npos;
       at = text.find(kLogPlace, at + name.size()))
    text.replace(at, kLogPlace.size(), name);
  return text;
}

}  // namespace flowtally::sink
