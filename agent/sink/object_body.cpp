#include "sink/object_body.hpp"

#include <array>
#include <memory>
#include <string_view>

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

namespace flowtally::sink {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr int kZstdLevel = 1;  // as small as 3 on flow records, and faster
constexpr int kGzipLevel = 6;
constexpr int kGzipWindow = 15 + 16;  // zlib's way to say gzip; it writes no time
constexpr int kGzipMemory = 8;
constexpr std::size_t kPieceBytes = std::size_t{64} << 10U;

/// Calls `take` with each line and its end.
template <class Take>
void for_lines(const Batch& batch, std::size_t first, std::size_t count, Take take) {
  for (std::size_t at = first; at < first + count; ++at) {
    take(batch.text_of(batch.items[at]));
    take(std::string_view("\n"));
  }
}

Result<std::string> as_zstd(const Batch& batch, std::size_t first, std::size_t count) {
  const std::unique_ptr<ZSTD_CCtx, std::size_t (*)(ZSTD_CCtx*)> context(::ZSTD_createCCtx(), ::ZSTD_freeCCtx);
  if (!context) return fail(Error(ErrorCode::kResource, "no memory for zstd"));
  ::ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kZstdLevel);
  ::ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string out;
  std::string piece(kPieceBytes, '\0');
  std::size_t failed = 0;
  const auto push = [&](std::string_view text, ZSTD_EndDirective mode) {
    ZSTD_inBuffer in{.src = text.data(), .size = text.size(), .pos = 0};
    std::size_t left = 0;
    do {
      ZSTD_outBuffer to{.dst = piece.data(), .size = piece.size(), .pos = 0};
      left = ::ZSTD_compressStream2(context.get(), &to, &in, mode);
      if (::ZSTD_isError(left) != 0) {
        failed = left;
        return;
      }
      out.append(piece, 0, to.pos);
    } while (mode == ZSTD_e_end ? left != 0 : in.pos < in.size);
  };
  for_lines(batch, first, count, [&](std::string_view text) { push(text, ZSTD_e_continue); });
  push({}, ZSTD_e_end);
  if (failed != 0)
    return fail(Error(ErrorCode::kResource, fmt::format("zstd: {}", ::ZSTD_getErrorName(failed))));
  return out;
}

Result<std::string> as_gzip(const Batch& batch, std::size_t first, std::size_t count) {
  z_stream stream{};
  if (::deflateInit2(&stream, kGzipLevel, Z_DEFLATED, kGzipWindow, kGzipMemory, Z_DEFAULT_STRATEGY) != Z_OK)
    return fail(Error(ErrorCode::kResource, "no memory for gzip"));
  const std::unique_ptr<z_stream, int (*)(z_stream*)> owner(&stream, ::deflateEnd);
  std::string out;
  std::array<unsigned char, kPieceBytes> piece{};
  const auto push = [&](std::string_view text, int flush) {
    // zlib counts in unsigned bytes, and does not write to what it reads.
    stream.next_in = reinterpret_cast<unsigned char*>(const_cast<char*>(text.data()));  // NOLINT
    stream.avail_in = static_cast<unsigned>(text.size());
    do {
      stream.next_out = piece.data();
      stream.avail_out = static_cast<unsigned>(piece.size());
      ::deflate(&stream, flush);
      // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
      out.append(reinterpret_cast<const char*>(piece.data()), piece.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  };
  for_lines(batch, first, count, [&](std::string_view text) { push(text, Z_NO_FLUSH); });
  push({}, Z_FINISH);
  return out;
}

}  // namespace

Result<std::string> object_body(const Batch& batch, std::size_t first, std::size_t count,
                                model::Compression compression) {
  if (compression == model::Compression::kZstd) return as_zstd(batch, first, count);
  if (compression == model::Compression::kGzip) return as_gzip(batch, first, count);
  std::string out;
  for_lines(batch, first, count, [&out](std::string_view text) { out += text; });
  return out;
}

}  // namespace flowtally::sink
