// This file is an answer before it is sent: a status, headers, and a body that is a text or is made while it
// is sent.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace flowtally::api {

/// A body that is made as it is read, so that its size costs no memory. Read by one thread, the connection's;
/// a read may take its time.
class Body {
 public:
  Body() = default;
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;
  virtual ~Body() = default;

  /// Writes at least one byte, or says by 0 that it is at its end. After an Error the connection is cut, so
  /// that the client sees that the answer is not whole.
  [[nodiscard]] virtual base::Result<std::size_t> read(std::span<char> out) = 0;
};

inline constexpr std::string_view kJsonType = "application/json";

struct Answer {
  unsigned status = 200;
  std::string content_type{kJsonType};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string text{};
  std::unique_ptr<Body> body{};  ///< instead of the text
};

/// `{"message":"…"}`
[[nodiscard]] Answer error_answer(unsigned status, std::string_view message);
/// The status that an Error stands for where the request caused it or the agent is not able to.
[[nodiscard]] Answer error_answer(const base::Error& error);
/// 503 with Retry-After.
[[nodiscard]] Answer busy_answer(std::string_view message);

/// Up to a few texts that are copied out one after the other; they must live until all is taken.
class Pieces {
 public:
  void add(std::string_view piece);
  [[nodiscard]] bool empty() const noexcept { return next_ == count_; }
  /// How much was written: all of `out`, or all there is.
  [[nodiscard]] std::size_t take(std::span<char> out) noexcept;

 private:
  static constexpr std::size_t kPiecesMax = 6;
  std::string_view pieces_[kPiecesMax] = {};
  std::size_t next_ = 0;
  std::size_t count_ = 0;
};

/// The body as gzip, quickly rather than small.
[[nodiscard]] base::Result<std::unique_ptr<Body>> gzip_body(std::unique_ptr<Body> body);

}  // namespace flowtally::api
