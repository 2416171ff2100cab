#include <vector>

#include <zlib.h>

#include "api/answer.hpp"

namespace flowtally::api {
namespace {

constexpr std::size_t kInputBytes = std::size_t{64} << 10U;
/// Of deflate: the windows of gzip, with its header.
constexpr int kGzipWindowBits = 15 + 16;
constexpr int kMemoryLevel = 8;

class GzipBody final : public Body {
 public:
  explicit GzipBody(std::unique_ptr<Body> body) : body_(std::move(body)), input_(kInputBytes) {}
  ~GzipBody() override {
    if (started_) deflateEnd(&stream_);
  }
  GzipBody(const GzipBody&) = delete;
  GzipBody& operator=(const GzipBody&) = delete;

  bool start() {
    started_ = deflateInit2(&stream_, Z_BEST_SPEED, Z_DEFLATED, kGzipWindowBits, kMemoryLevel,
                            Z_DEFAULT_STRATEGY) == Z_OK;
    return started_;
  }

  base::Result<std::size_t> read(std::span<char> out) override {
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(std::min<std::size_t>(out.size(), kInputBytes));
    const uInt room = stream_.avail_out;
    while (!done_ && stream_.avail_out == room) {
      if (stream_.avail_in == 0 && !at_end_) {
        auto bytes = body_->read(input_);
        if (!bytes) return base::fail(std::move(bytes.error()));
        at_end_ = *bytes == 0;
        stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
        stream_.avail_in = static_cast<uInt>(*bytes);
      }
      const int result = deflate(&stream_, at_end_ ? Z_FINISH : Z_NO_FLUSH);
      if (result == Z_STREAM_ERROR) {
        return base::fail(base::Error(base::ErrorCode::kInternal, "zlib refuses to go on"));
      }
      done_ = result == Z_STREAM_END;
    }
    return room - stream_.avail_out;
  }

 private:
  std::unique_ptr<Body> body_;
  std::vector<char> input_;
  z_stream stream_{};
  bool started_ = false;
  bool at_end_ = false;
  bool done_ = false;
};

}  // namespace

base::Result<std::unique_ptr<Body>> gzip_body(std::unique_ptr<Body> body) {
  auto gzip = std::make_unique<GzipBody>(std::move(body));
  if (!gzip->start()) return base::fail(base::Error(base::ErrorCode::kResource, "no memory for zlib"));
  return gzip;
}

}  // namespace flowtally::api
