#include "model/prefix_table.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace flowtally::model {
namespace {

constexpr PrefixTable::Value kNothing = std::numeric_limits<PrefixTable::Value>::max();

std::uint64_t from_network_order(const std::uint8_t* bytes) noexcept {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes, sizeof(number));
  if constexpr (std::endian::native == std::endian::little) number = __builtin_bswap64(number);
  return number;
}

}  // namespace

/// A prefix as its first and last address.
struct PrefixTable::Span {
  Number first;
  Number last;
  Value value = kNothing;
  std::size_t place = 0;  ///< among the prefixes as they were given
};

PrefixTable::Number PrefixTable::number_of(const Address& address) noexcept {
  if (address.family == Address::Family::kV4) {
    return {.high = 0, .low = from_network_order(address.bytes.data()) >> 32U};
  }
  return {.high = from_network_order(address.bytes.data()), .low = from_network_order(&address.bytes[8])};
}

PrefixTable::Span PrefixTable::span_of(const Prefix& prefix, Value value) noexcept {
  Span span{.first = number_of(prefix.address), .last = number_of(prefix.address), .value = value};
  const bool v4 = prefix.address.family == Address::Family::kV4;
  const unsigned free_bits = (v4 ? 32U : 128U) - prefix.bits;  // those that the prefix leaves open
  constexpr auto kAll = std::numeric_limits<std::uint64_t>::max();
  if (free_bits >= 64) {
    span.last.low = kAll;
    span.last.high |= free_bits == 128 ? kAll : (std::uint64_t{1} << (free_bits - 64)) - 1;
  } else {
    span.last.low |= (std::uint64_t{1} << free_bits) - 1;
  }
  return span;
}

/// From `begin` on the value is `value`; calls come in ascending order of `begin`.
void PrefixTable::Intervals::cut(Number begin, Value value) {
  if (!begins.empty() && begins.back() == begin) {
    values.back() = value;
    return;
  }
  begins.push_back(begin);
  values.push_back(value);
}

/// Spans are nested or apart, never half over each other: they are prefixes. So a stack of those that are
/// open is enough, the innermost, which is the longest prefix, on top.
PrefixTable::Intervals PrefixTable::flatten(std::vector<Span> spans) {
  // Not std::stable_sort, which libstdc++ 12 builds on something deprecated; so each span knows its place.
  std::sort(spans.begin(), spans.end(), [](const Span& left, const Span& right) {
    if (left.first != right.first) return left.first < right.first;
    return left.last != right.last ? left.last > right.last : left.place < right.place;
  });
  const auto equal = [](const Span& left, const Span& right) {
    return left.first == right.first && left.last == right.last;
  };
  spans.erase(std::unique(spans.begin(), spans.end(), equal), spans.end());

  Intervals intervals;
  std::vector<Span> open;
  const auto close = [&] {
    Number behind = open.back().last;
    open.pop_back();
    if (++behind.low == 0 && ++behind.high == 0) return;  // it ended with the last address there is
    intervals.cut(behind, open.empty() ? kNothing : open.back().value);
  };
  for (const Span& span : spans) {
    while (!open.empty() && open.back().last < span.first) close();
    intervals.cut(span.first, span.value);
    open.push_back(span);
  }
  while (!open.empty()) close();
  return intervals;
}

PrefixTable::PrefixTable(const std::vector<std::pair<Prefix, Value>>& prefixes) {
  std::vector<Span> v4;
  std::vector<Span> v6;
  for (const auto& [prefix, value] : prefixes) {
    if (!prefix.address.valid()) continue;
    auto& spans = prefix.address.family == Address::Family::kV4 ? v4 : v6;
    spans.push_back(span_of(prefix, value));
    spans.back().place = spans.size();
  }
  v4_ = flatten(std::move(v4));
  v6_ = flatten(std::move(v6));
}

std::optional<PrefixTable::Value> PrefixTable::Intervals::find(Number number) const noexcept {
  const auto behind = std::upper_bound(begins.begin(), begins.end(), number);
  if (behind == begins.begin()) return std::nullopt;
  const Value value = values[static_cast<std::size_t>(behind - begins.begin()) - 1];
  if (value == kNothing) return std::nullopt;
  return value;
}

std::optional<PrefixTable::Value> PrefixTable::find(const Address& address) const noexcept {
  switch (address.family) {
    case Address::Family::kNone: return std::nullopt;
    case Address::Family::kV4: return v4_.find(number_of(address));
    case Address::Family::kV6: return v6_.find(number_of(address));
  }
  return std::nullopt;
}

}  // namespace flowtally::model
