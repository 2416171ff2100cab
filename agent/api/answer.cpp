#include "api/answer.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "api/limits.hpp"
#include "base/check.hpp"
#include "record/text.hpp"

namespace flowtally::api {

Answer error_answer(unsigned status, std::string_view message) {
  Answer answer{.status = status};
  answer.text = "{\"message\":";
  record::append_json_string(message, answer.text);
  answer.text += "}\n";
  return answer;
}

Answer error_answer(const base::Error& error) {
  switch (error.code()) {
    case base::ErrorCode::kInvalidArgument: return error_answer(400, error.text());
    case base::ErrorCode::kNotFound: return error_answer(404, error.text());
    case base::ErrorCode::kPermission: return error_answer(403, error.text());
    case base::ErrorCode::kUnsupported: return error_answer(501, error.text());
    case base::ErrorCode::kResource: return busy_answer(error.text());
    case base::ErrorCode::kIo:
    case base::ErrorCode::kCorrupt:
    case base::ErrorCode::kInternal: break;
  }
  return error_answer(500, error.text());
}

Answer busy_answer(std::string_view message) {
  Answer answer = error_answer(503, message);
  answer.headers.emplace_back("Retry-After", fmt::format("{}", kRetryAfter.count()));
  return answer;
}

void Pieces::add(std::string_view piece) {
  if (piece.empty()) return;
  if (empty()) next_ = count_ = 0;
  FLOWTALLY_CHECK(count_ < kPiecesMax);
  pieces_[count_++] = piece;
}

std::size_t Pieces::take(std::span<char> out) noexcept {
  std::size_t taken = 0;
  while (!empty() && taken < out.size()) {
    std::string_view& piece = pieces_[next_];
    const std::size_t bytes = std::min(piece.size(), out.size() - taken);
    std::memcpy(out.data() + taken, piece.data(), bytes);
    piece.remove_prefix(bytes);
    taken += bytes;
    if (piece.empty()) ++next_;
  }
  return taken;
}

}  // namespace flowtally::api
