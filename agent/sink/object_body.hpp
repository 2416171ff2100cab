// This file makes the bytes of an object: the items of a span as lines, compressed on the way, so that a
// large object is in memory only once before compression and once after. The same items give the same bytes.
// Pure.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.hpp"
#include "model/sink_settings.hpp"
#include "sink/batch.hpp"

namespace flowtally::sink {

/// kResource: no memory for a compressor.
[[nodiscard]] base::Result<std::string> object_body(const Batch& batch, std::size_t first, std::size_t count,
                                                    model::Compression compression);

}  // namespace flowtally::sink
