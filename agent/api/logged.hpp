// This file is the field `logged` of a record: when it was appended to the journal. Tailscale's API matches
// ranges of time against it and its clients want it; lines that were written without it get it here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "api/answer.hpp"
#include "journal/reader.hpp"

namespace flowtally::api {

/// The time in the line's field `logged`; where it has none, the end of its window. Nothing: it has neither.
/// Both stand before all lists and objects of the line.
[[nodiscard]] std::optional<std::int64_t> logged_at(std::string_view line);

/// A line of the journal as it goes out: with `logged`, without its line end. Holds what it had to make.
class OutgoingLine {
 public:
  /// `line` must live until the pieces are taken.
  void add_to(Pieces& pieces, std::string_view line);

 private:
  std::string head_;
};

}  // namespace flowtally::api
