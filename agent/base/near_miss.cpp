#include "base/near_miss.hpp"

#include <algorithm>
#include <vector>

namespace flowtally::base {
namespace {

constexpr std::size_t kDistanceMax = 2;
constexpr std::size_t kPrefixMin = 3;
/// Longer words are nobody's slip, and comparing takes the product of the lengths.
constexpr std::size_t kWordMax = 64;

/// Letters to change, add, leave out, or swap with their neighbour.
std::size_t distance(std::string_view left, std::string_view right) {
  const std::size_t width = right.size() + 1;
  std::vector<std::size_t> table((left.size() + 1) * width);
  const auto cell = [&](std::size_t row, std::size_t column) -> std::size_t& {
    return table[row * width + column];
  };
  for (std::size_t row = 0; row <= left.size(); ++row) cell(row, 0) = row;
  for (std::size_t column = 0; column < width; ++column) cell(0, column) = column;
  for (std::size_t row = 1; row <= left.size(); ++row) {
    for (std::size_t column = 1; column < width; ++column) {
      const std::size_t changed = left[row - 1] == right[column - 1] ? 0 : 1;
      std::size_t best = std::min(
          {cell(row - 1, column) + 1, cell(row, column - 1) + 1, cell(row - 1, column - 1) + changed});
      if (row > 1 && column > 1 && left[row - 1] == right[column - 2] && left[row - 2] == right[column - 1]) {
        best = std::min(best, cell(row - 2, column - 2) + 1);
      }
      cell(row, column) = best;
    }
  }
  return cell(left.size(), width - 1);
}

}  // namespace

std::string near_miss(std::string_view word, std::span<const std::string_view> known) {
  if (word.empty() || word.size() > kWordMax) return {};
  std::string_view best;
  std::size_t best_distance = kDistanceMax + 1;
  for (const std::string_view candidate : known) {
    const std::size_t letters = distance(word, candidate.substr(0, kWordMax));
    if (letters < best_distance && letters * 2 < word.size()) {
      best = candidate;
      best_distance = letters;
    }
  }
  if (!best.empty()) return std::string(best);
  const auto prefixed = std::ranges::find_if(known, [&](std::string_view candidate) {
    return word.size() >= kPrefixMin && (candidate.starts_with(word) || word.starts_with(candidate));
  });
  return prefixed == known.end() ? std::string() : std::string(*prefixed);
}

}  // namespace flowtally::base
