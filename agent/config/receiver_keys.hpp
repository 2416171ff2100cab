// This file is the part of the table of keys that belongs to one kind of sink.
#pragma once

#include <cstddef>
#include <vector>

#include "config/keys.hpp"

namespace flowtally::config {

/// By the index in model::ReceiverSettings.
[[nodiscard]] std::vector<Key<model::SinkSettings>> receiver_keys(std::size_t kind);

}  // namespace flowtally::config
