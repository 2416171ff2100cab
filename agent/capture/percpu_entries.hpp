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
  explicit EntryCollector(std::vector<model::Entry<Key>>& into) : into_(into) {}
  void entry(const std::byte* key, const model::Counters& sum) override {
    model::Entry<Key>& entry = into_.emplace_back();
    std::memcpy(&entry.key, key, sizeof(Key));
    entry.counters = sum;
  }

 private:
  std::vector<model::Entry<Key>>& into_;
};

/// Appends all entries of `map`; `expected` says for how many room is made beforehand.
template <class Key>
[[nodiscard]] base::Status read_entries(const PercpuMap& map, PercpuMap::Scratch& scratch,
                                        std::uint32_t expected, std::vector<model::Entry<Key>>& into) {
  into.reserve(std::min(expected, map.capacity()));
  EntryCollector<Key> collector(into);
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
