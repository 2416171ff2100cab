// This file is the filter that each sealed frame has: a set of terms that may say "yes" wrongly, never "no".
//
// A Bloom filter in blocks of 64 bytes: a term picks one block and one bit in each of its eight words, so
// that a question costs one cache line. Its size follows the number of different terms, ten bits for each,
// which makes about one wrong answer in a hundred: at a fixed 1 or 2 KiB, the 8,000 terms of a frame full of
// ephemeral ports would leave two bits for each, and every second answer wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flowtally::journal {

inline constexpr std::size_t kFilterBlockBytes = 64;
inline constexpr std::size_t kFilterBitsPerTerm = 10;
/// More terms than this size is made for (26,000) raise the share of wrong answers.
inline constexpr std::size_t kFilterBytesMax = 32'768;

/// Over bytes that it does not own. Empty: it may contain everything.
class TermFilter {
 public:
  TermFilter() = default;
  /// `bytes` has whole blocks, or the filter is empty.
  explicit TermFilter(std::string_view bytes) noexcept;

  [[nodiscard]] bool may_contain(std::uint64_t term) const noexcept;

 private:
  std::string_view bytes_;
};

/// Collects the terms of a frame.
class TermFilterBuilder {
 public:
  void add(std::uint64_t term) {
    if (terms_.size() == terms_.capacity() && terms_.size() >= kDedupAt) dedup();
    terms_.push_back(term);
  }
  /// The filter of the terms so far; begins anew. Never empty.
  [[nodiscard]] std::string build();

 private:
  static constexpr std::size_t kDedupAt = 4096;
  void dedup();

  std::vector<std::uint64_t> terms_;
};

}  // namespace flowtally::journal
