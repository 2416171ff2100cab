// This file finds the longest of many prefixes that holds an address. The prefixes are cut into intervals
// that do not overlap, each with the value of the longest prefix over it; a look-up is one binary search.
// 10,000 prefixes take some 100 KiB.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "model/address.hpp"

namespace flowtally::model {

/// Values by prefix. Immutable once built; look-ups are safe from any thread.
class PrefixTable {
 public:
  using Value = std::uint32_t;  ///< below 2^32 - 1

  PrefixTable() = default;
  /// In any order. Of equal prefixes the first one counts.
  explicit PrefixTable(const std::vector<std::pair<Prefix, Value>>& prefixes);

  /// The value of the longest prefix that holds the address.
  [[nodiscard]] std::optional<Value> find(const Address& address) const noexcept;

 private:
  /// An address as two numbers, the first one 0 for IPv4.
  struct Number {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    friend auto operator<=>(const Number&, const Number&) = default;
  };
  /// Intervals by their begin; each ends where the next begins.
  struct Intervals {
    std::vector<Number> begins;
    std::vector<Value> values;  ///< kNothing between prefixes
    void cut(Number begin, Value value);
    [[nodiscard]] std::optional<Value> find(Number number) const noexcept;
  };
  struct Span;

  [[nodiscard]] static Number number_of(const Address& address) noexcept;
  [[nodiscard]] static Span span_of(const Prefix& prefix, Value value) noexcept;
  [[nodiscard]] static Intervals flatten(std::vector<Span> spans);

  Intervals v4_;
  Intervals v6_;
};

}  // namespace flowtally::model
