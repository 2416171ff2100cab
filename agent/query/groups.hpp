// This file sums connections by groups, in bounded memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/window.hpp"
#include "query/line.hpp"
#include "query/query.hpp"

namespace flowtally::query {

/// The columns of a group behind its keys.
inline constexpr Column kSumColumns[] = {Column::kFlows,     Column::kTxPackets, Column::kTxBytes,
                                         Column::kRxPackets, Column::kRxBytes,   Column::kPackets,
                                         Column::kBytes,     Column::kFirstSeen, Column::kLastSeen};

struct GroupSums {
  model::Counters counters{};
  std::uint64_t flows = 0;
  std::int64_t first_ns = std::numeric_limits<std::int64_t>::max();
  std::int64_t last_ns = std::numeric_limits<std::int64_t>::min();

  GroupSums& operator+=(const GroupSums& other) noexcept;
};

/// Groups and their sums. Not thread-safe: each thread has one, and they are merged.
class GroupTable {
 public:
  GroupTable(std::vector<Column> keys, std::int64_t bucket_ns, std::size_t groups_max = kGroupsMax);

  void add(const Line& line, const Connection& connection);
  void merge(const GroupTable& other);

  /// Of connections and tables that found no room: how many groups came too late.
  [[nodiscard]] std::uint64_t beyond() const noexcept { return beyond_; }
  /// Gives rows in the order of `sort`, at most `limit` (0: all), then the row of the others; false if the
  /// sink wanted no more. A row is made when it is given: so many would be six times the groups.
  bool give_rows(const Sort& sort, std::uint64_t limit, const RowSink& sink) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  using Groups = std::unordered_map<std::string, GroupSums, Hash, std::equal_to<>>;

  void append_key(Column column, const Line& line, const Connection& connection);
  void add(std::string_view key, const GroupSums& sums);
  /// A group in an order.
  struct Place {
    Value by{};
    const Groups::value_type* group = nullptr;
  };
  [[nodiscard]] std::vector<Value> key_values(std::string_view key) const;
  [[nodiscard]] std::vector<Place> places(Column by) const;
  [[nodiscard]] Row row_of(std::string_view key, const GroupSums& sums) const;

  std::vector<Column> keys_;
  std::int64_t bucket_ns_;
  std::size_t groups_max_;
  Groups groups_;
  GroupSums other_;
  std::uint64_t beyond_ = 0;
  std::string key_;  ///< of the connection that is added
};

/// True where `left` comes before `right` in the order of one column.
[[nodiscard]] bool before(const Value& left, const Value& right, bool descending);

}  // namespace flowtally::query
