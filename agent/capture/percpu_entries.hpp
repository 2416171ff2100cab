// This file reads a per-CPU hash into entries with keys of their own type.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "capture/percpu_map.hpp"
#include "model/generation.hpp"

namespace flowtally::capture {

template <class Key>
class EntryCollector final : public PercpuMap::Visitor {
 public:
  /// `key_bytes`: of the map; another version's key may be longer or shorter, and begins the same.
  EntryCollector(std::vector<model::Entry<Key>>& into, std::uint32_t key_bytes)
      : into_(into), bytes_(std::min(sizeof(Key), std::size_t{key_bytes})) {}
  void entry(const std::byte* key, const model::Counters& sum) override {
    model::Entry<Key>& entry = into_.emplace_back();
    std::memcpy(&entry.key, key, bytes_);
    entry.counters = sum;
  }

 private:
  std::vector<model::Entry<Key>>& into_;
  std::size_t bytes_;
};

/// Appends all entries of `map`; `expected` says for how many room is made beforehand.
template <class Key>
[[nodiscard]] base::Status read_entries(const PercpuMap& map, PercpuMap::Scratch& scratch,
                                        std::uint32_t expected, std::vector<model::Entry<Key>>& into) {
  into.reserve(std::min(expected, map.capacity()));
  EntryCollector<Key> collector(into, map.key_bytes());
  return map.read(scratch, collector);
}

/// Deletes the entries that were read.
template <class Key>
[[nodiscard]] base::Status erase_entries(const PercpuMap& map,
                                         const std::vector<model::Entry<Key>>& entries) {
  std::vector<Key> keys;
  keys.reserve(entries.size());
  for (const auto& entry : entries) keys.push_back(entry.key);
  return map.erase(std::as_bytes(std::span(keys)));
}

}  // namespace flowtally::capture
