#include "sink/compress.hpp"

#include <cstddef>

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

namespace flowtally::sink {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

/// Of deflate: the windows of gzip, with its header.
constexpr int kGzipWindowBits = 15 + 16;
constexpr int kMemoryLevel = 8;
constexpr int kZstdLevel = 1;

struct ZstdDeleter {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
};

/// zlib's state, made when it is first wanted.
class Gzip {
 public:
  Gzip() = default;
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  ~Gzip() {
    if (made_) deflateEnd(&stream_);
  }

  base::Result<std::size_t> compress(std::string_view text, std::string& out) {
    if (!made_) {
      made_ = deflateInit2(&stream_, Z_BEST_SPEED, Z_DEFLATED, kGzipWindowBits, kMemoryLevel,
                           Z_DEFAULT_STRATEGY) == Z_OK;
      if (!made_) return fail(Error(ErrorCode::kResource, "zlib has no memory"));
    }
    deflateReset(&stream_);
    out.resize(deflateBound(&stream_, static_cast<uLong>(text.size())));
    // zlib's interface is older than const.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream_.avail_in = static_cast<uInt>(text.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    if (deflate(&stream_, Z_FINISH) != Z_STREAM_END) {
      return fail(Error(ErrorCode::kInternal, fmt::format("zlib did not compress {} bytes", text.size())));
    }
    return out.size() - stream_.avail_out;
  }

 private:
  z_stream stream_{};
  bool made_ = false;
};

}  // namespace

struct Compressor::Inner {
  Gzip gzip{};
  std::unique_ptr<ZSTD_CCtx, ZstdDeleter> zstd{};
  std::string out{};
};

Compressor::Compressor() : inner_(std::make_unique<Inner>()) {}
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;
Compressor::~Compressor() = default;

base::Result<std::string_view> Compressor::compress(std::string_view text, model::Compression how) {
  if (how == model::Compression::kNone) return text;
  std::string& out = inner_->out;
  if (how == model::Compression::kGzip) {
    const auto size = inner_->gzip.compress(text, out);
    if (!size) return fail(size.error());
    return std::string_view(out).substr(0, *size);
  }
  if (!inner_->zstd) inner_->zstd.reset(ZSTD_createCCtx());
  if (!inner_->zstd) return fail(Error(ErrorCode::kResource, "zstd has no memory"));
  out.resize(ZSTD_compressBound(text.size()));
  const std::size_t size =
      ZSTD_compressCCtx(inner_->zstd.get(), out.data(), out.size(), text.data(), text.size(), kZstdLevel);
  if (ZSTD_isError(size) != 0) return fail(Error(ErrorCode::kInternal, ZSTD_getErrorName(size)));
  return std::string_view(out).substr(0, size);
}

std::string_view content_encoding(model::Compression how) noexcept {
  switch (how) {
    case model::Compression::kGzip: return "gzip";
    case model::Compression::kZstd: return "zstd";
    case model::Compression::kNone: break;
  }
  return {};
}

}  // namespace flowtally::sink
