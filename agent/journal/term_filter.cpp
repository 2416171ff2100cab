#include "journal/term_filter.hpp"

#include <algorithm>
#include <cstring>

namespace flowtally::journal {
namespace {

constexpr std::size_t kWords = kFilterBlockBytes / sizeof(std::uint64_t);

/// Terms are hashes already, but whoever makes them may have left the upper bits empty.
std::uint64_t mix(std::uint64_t term) noexcept {
  term ^= term >> 33U;
  term *= 0xff51afd7ed558ccdU;
  term ^= term >> 33U;
  term *= 0xc4ceb9fe1a85ec53U;
  return term ^ (term >> 33U);
}

/// The upper half of the hash picks the block, without a division.
std::size_t block_of(std::uint64_t hash, std::size_t blocks) noexcept {
  return static_cast<std::size_t>(((hash >> 32U) * blocks) >> 32U);
}

/// One bit of each word, from the lower half: eight odd factors make eight independent numbers of it.
std::uint64_t bit_of(std::uint64_t hash, std::size_t word) noexcept {
  static constexpr std::uint32_t kFactors[kWords] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                                     0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};
  const std::uint32_t number = static_cast<std::uint32_t>(hash) * kFactors[word];
  return std::uint64_t{1} << (number >> 26U);
}

}  // namespace

TermFilter::TermFilter(std::string_view bytes) noexcept
    : bytes_(bytes.size() % kFilterBlockBytes == 0 ? bytes : std::string_view()) {}

bool TermFilter::may_contain(std::uint64_t term) const noexcept {
  if (bytes_.empty()) return true;
  const std::uint64_t hash = mix(term);
  const char* const block =
      bytes_.data() + block_of(hash, bytes_.size() / kFilterBlockBytes) * kFilterBlockBytes;
  for (std::size_t word = 0; word < kWords; ++word) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, block + word * sizeof(bits), sizeof(bits));
    if ((bits & bit_of(hash, word)) == 0) return false;
  }
  return true;
}

void TermFilterBuilder::dedup() {
  std::ranges::sort(terms_);
  const auto rest = std::ranges::unique(terms_);
  terms_.erase(rest.begin(), rest.end());
  // Room for as many again: otherwise a full vector of different terms would be sorted for each new one.
  terms_.reserve(terms_.size() * 2);
}

std::string TermFilterBuilder::build() {
  dedup();
  const std::size_t bytes = terms_.size() * kFilterBitsPerTerm / 8;
  const std::size_t blocks = std::clamp<std::size_t>((bytes + kFilterBlockBytes - 1) / kFilterBlockBytes, 1,
                                                     kFilterBytesMax / kFilterBlockBytes);
  std::string filter(blocks * kFilterBlockBytes, '\0');
  for (const std::uint64_t term : terms_) {
    const std::uint64_t hash = mix(term);
    char* const block = filter.data() + block_of(hash, blocks) * kFilterBlockBytes;
    for (std::size_t word = 0; word < kWords; ++word) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, block + word * sizeof(bits), sizeof(bits));
      bits |= bit_of(hash, word);
      std::memcpy(block + word * sizeof(bits), &bits, sizeof(bits));
    }
  }
  terms_.clear();
  return filter;
}

}  // namespace flowtally::journal
