// This file guesses which known word somebody meant. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace flowtally::base {

/// The known word nearest to `word`, if at most two letters have to be changed, added, left out or swapped,
/// and less than half of it; else empty. A prefix of three letters or more counts as near too.
[[nodiscard]] std::string near_miss(std::string_view word, std::span<const std::string_view> known);

}  // namespace flowtally::base
