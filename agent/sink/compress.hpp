// This file compresses bodies, a whole one at a time, with buffers that are kept.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "model/sink_settings.hpp"

namespace flowtally::sink {

/// Quick rather than small: the lines of a batch are so alike that they get several times smaller anyway.
/// Belongs to one thread.
class Compressor {
 public:
  Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;
  ~Compressor();

  /// One gzip member, or one zstd frame, until the next call; `text` itself where nothing is to be done.
  [[nodiscard]] base::Result<std::string_view> compress(std::string_view text, model::Compression how);

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

/// "gzip", "zstd"; empty for none.
[[nodiscard]] std::string_view content_encoding(model::Compression how) noexcept;

}  // namespace flowtally::sink
