#include "query/query.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "query/groups.hpp"
#include "query/names.hpp"

namespace flowtally::query {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

struct ColumnName {
  std::string_view name;
  Column column;
  ValueKind kind;
  bool groups;  ///< can be grouped by
};

constexpr ColumnName kColumns[] = {{"time", Column::kTime, ValueKind::kTime, true},
                                   {"start", Column::kStart, ValueKind::kTime, false},
                                   {"end", Column::kEnd, ValueKind::kTime, false},
                                   {"node", Column::kNode, ValueKind::kText, true},
                                   {"class", Column::kClass, ValueKind::kText, true},
                                   {"proto", Column::kProto, ValueKind::kText, true},
                                   {"src", Column::kSrc, ValueKind::kText, true},
                                   {"dst", Column::kDst, ValueKind::kText, true},
                                   {"sport", Column::kSrcPort, ValueKind::kNumber, true},
                                   {"dport", Column::kDstPort, ValueKind::kNumber, true},
                                   {"port", Column::kPort, ValueKind::kNumber, true},
                                   {"peer", Column::kPeer, ValueKind::kText, true},
                                   {"user", Column::kUser, ValueKind::kText, true},
                                   {"tag", Column::kTag, ValueKind::kText, true},
                                   {"txPkts", Column::kTxPackets, ValueKind::kNumber, false},
                                   {"txBytes", Column::kTxBytes, ValueKind::kBytes, false},
                                   {"rxPkts", Column::kRxPackets, ValueKind::kNumber, false},
                                   {"rxBytes", Column::kRxBytes, ValueKind::kBytes, false},
                                   {"packets", Column::kPackets, ValueKind::kNumber, false},
                                   {"bytes", Column::kBytes, ValueKind::kBytes, false},
                                   {"flows", Column::kFlows, ValueKind::kNumber, false},
                                   {"firstSeen", Column::kFirstSeen, ValueKind::kTime, false},
                                   {"lastSeen", Column::kLastSeen, ValueKind::kTime, false}};

constexpr Column kConnectionColumns[] = {Column::kStart,   Column::kEnd,       Column::kNode,
                                         Column::kClass,   Column::kProto,     Column::kSrc,
                                         Column::kDst,     Column::kPeer,      Column::kTxPackets,
                                         Column::kTxBytes, Column::kRxPackets, Column::kRxBytes};

std::unexpected<Error> refuse(std::string what, std::string advice) {
  return base::fail(Error(ErrorCode::kInvalidArgument, std::move(what)).advise(std::move(advice)));
}

std::string names_of_groups() {
  std::string names;
  for (const ColumnName& column : kColumns) {
    if (!column.groups) continue;
    names += names.empty() ? "" : ", ";
    names += column.column == Column::kTime ? "time:5m" : column.name;
  }
  return names;
}

/// "5m" of "time:5m".
std::optional<std::int64_t> bucket_of(std::string_view text) {
  const auto now = parse_moment(text, 0, [](std::int64_t) { return std::int64_t{0}; });
  if (!now || *now >= 0 || text.find_first_of("smhdw") != text.size() - 1) return std::nullopt;
  return -*now;
}

base::Status read_groups(std::string_view text, Query& query) {
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    std::string_view name = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const std::size_t colon = std::min(name.find(':'), name.size());
    const std::string_view bucket = name.substr(std::min(colon + 1, name.size()));
    const auto column = column_of(name.substr(0, colon));
    const auto* const known =
        column ? std::ranges::find(kColumns, *column, &ColumnName::column) : std::end(kColumns);
    if (known == std::end(kColumns) || !known->groups) {
      return refuse(fmt::format("nothing can be grouped by `{}`", name), "Group by " + names_of_groups());
    }
    if (*column == Column::kTime) {
      const auto length = bucket_of(bucket);
      if (!length)
        return refuse(fmt::format("`{}` is no bucket of time", name),
                      "Write time:30s, time:5m, time:1h or time:1d");
      query.bucket_ns = *length;
    } else if (colon < name.size()) {
      return refuse(fmt::format("`{}` has no `{}`", name.substr(0, colon), bucket),
                    "Group by " + names_of_groups());
    }
    if (std::ranges::find(query.group_by, *column) != query.group_by.end()) {
      return refuse(fmt::format("`{}` is there twice", name), "Name each once");
    }
    if (query.group_by.size() == kGroupKeysMax) {
      return refuse(fmt::format("more than {} things to group by", kGroupKeysMax), "Leave some out");
    }
    query.group_by.push_back(*column);
  }
  return {};
}

base::Status read_sort(std::string_view text, Query& query) {
  Sort sort;
  bool told = false;
  if (text.starts_with('-') || text.starts_with('+')) {
    told = true;
    sort.descending = text.front() == '-';
    text.remove_prefix(1);
  }
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const std::string order = lower(text.substr(colon + 1));
    if (order != "asc" && order != "desc")
      return refuse(fmt::format("`{}` is no order", order), "Write asc or desc");
    told = true;
    sort.descending = order == "desc";
    text = text.substr(0, colon);
  }
  const auto columns = columns_of(query);
  const auto column = column_of(text);
  if (!column || std::ranges::find(columns, *column) == columns.end()) {
    std::string names;
    for (const Column known : columns) names += (names.empty() ? "" : ", ") + std::string(column_name(known));
    return refuse(fmt::format("the answer has no column `{}` to sort by", text), "Sort by " + names);
  }
  sort.column = *column;
  if (!told) sort.descending = value_kind(*column) != ValueKind::kText;
  query.sort = sort;
  return {};
}

}  // namespace

std::string_view column_name(Column column) noexcept {
  return std::ranges::find(kColumns, column, &ColumnName::column)->name;
}

std::optional<Column> column_of(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(kColumns, name, &ColumnName::name);
  if (found == std::end(kColumns)) return std::nullopt;
  return found->column;
}

ValueKind value_kind(Column column) noexcept {
  return std::ranges::find(kColumns, column, &ColumnName::column)->kind;
}

Missing& Missing::operator+=(const Missing& other) noexcept {
  removed += other.removed;
  damaged += other.damaged;
  lost += other.lost;
  unreadable += other.unreadable;
  return *this;
}

std::vector<Column> columns_of(const Query& query) {
  if (query.group_by.empty()) return {std::begin(kConnectionColumns), std::end(kConnectionColumns)};
  std::vector<Column> columns = query.group_by;
  columns.insert(columns.end(), std::begin(kSumColumns), std::end(kSumColumns));
  return columns;
}

Result<Query> parse_query(const QueryText& text, std::int64_t now_ns, const ZoneOffset& zone) {
  Query query;
  auto filter = Filter::parse(text.filter);
  if (!filter) return base::fail(std::move(filter.error()));
  query.filter = std::move(*filter);
  if (!text.start.empty() && !text.since.empty()) {
    return refuse("both a start and `since` are given", "Give one of them");
  }
  const std::string& from = text.start.empty() ? text.since : text.start;
  if (!from.empty()) {
    const auto moment = parse_moment(from, now_ns, zone);
    if (!moment) return base::fail(Error(moment.error()).during("start"));
    query.start_ns = *moment;
  }
  if (!text.end.empty()) {
    const auto moment = parse_moment(text.end, now_ns, zone);
    if (!moment) return base::fail(Error(moment.error()).during("end"));
    query.end_ns = *moment;
  }
  if (query.end_ns <= query.start_ns) return refuse("the end is not after the start", "Give a later end");
  if (auto read = read_groups(text.group_by, query); !read) return base::fail(std::move(read.error()));
  if (!text.limit.empty()) {
    const char* const end = text.limit.data() + text.limit.size();
    const auto parsed = std::from_chars(text.limit.data(), end, query.limit);
    if (parsed.ec != std::errc{} || parsed.ptr != end) {
      return refuse(fmt::format("`{}` is no limit", text.limit), "Write a whole number; 0 is all");
    }
  }
  if (!text.sort.empty()) {
    if (auto read = read_sort(text.sort, query); !read) return base::fail(std::move(read.error()));
    if (query.group_by.empty() && (query.limit == 0 || query.limit > kSortedRowsMax)) {
      return refuse("connections are sorted as far as there is a limit",
                    fmt::format("Give a limit of at most {}", kSortedRowsMax));
    }
  }
  return query;
}

}  // namespace flowtally::query
