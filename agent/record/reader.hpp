// This file reads records back: one line of JSON, ours or Tailscale's, into a model::Record.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/result.hpp"
#include "model/record.hpp"

namespace flowtally::record {

/// The longest line that is looked at: four times the longest record, because Tailscale's have node objects
/// besides.
inline constexpr std::size_t kLineBytesMax = std::size_t{1} << 20U;

/// Reads lines one after the other and keeps its buffers, about 16 bytes for each byte of the longest line so
/// far. Not thread-safe.
class RecordReader {
 public:
  RecordReader();
  RecordReader(RecordReader&&) noexcept;
  RecordReader& operator=(RecordReader&&) noexcept;
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;
  ~RecordReader();

  /// `line` with or without its line end; it need not outlive the call. nodeId, start and end must be there;
  /// other fields may be absent, unknown ones are passed over. What is there must have the right type and
  /// range, and no known field may come twice. `proto` may also be a name ("tcp"), as Tailscale's API
  /// description has it. kResource: the line is longer than kLineBytesMax. kCorrupt: it is no record; the
  /// text names the field.
  [[nodiscard]] base::Result<model::Record> read(std::string_view line);

 private:
  struct Parser;  // simdjson stays out of this header: it is large
  std::unique_ptr<Parser> parser_;
};

}  // namespace flowtally::record
