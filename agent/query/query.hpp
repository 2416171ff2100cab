// This file is a question to a journal, and how it is answered: a filter, a range of time, and either the
// connections themselves or sums over groups of them.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "query/filter.hpp"
#include "query/time_text.hpp"

namespace flowtally::query {

inline constexpr std::size_t kGroupKeysMax = 8;
/// Beyond so many groups the others are one row, `other`, so that sums stay exact.
inline constexpr std::size_t kGroupsMax = 1'000'000;
/// Rows that can be sorted: the best of all that match.
inline constexpr std::uint64_t kSortedRowsMax = 100'000;
inline constexpr unsigned kThreadsMax = 64;

/// What a row of an answer has. Numbers of columns never stand in files.
enum class Column : std::uint8_t {
  kTime,  ///< begin of a bucket of time
  kStart,
  kEnd,
  kNode,
  kClass,
  kProto,
  kSrc,  ///< an endpoint in rows of connections, an address in groups
  kDst,
  kSrcPort,
  kDstPort,
  kPort,  ///< of the two ports the lower one that is not 0: as a rule the service's
  kPeer,
  kUser,  ///< of the peer
  kTag,   ///< of the peer: all its tags, with commas between
  kTxPackets,
  kTxBytes,
  kRxPackets,
  kRxBytes,
  kPackets,
  kBytes,
  kFlows,  ///< connections in records: one that lasts over three windows counts three times
  kFirstSeen,
  kLastSeen,
};

enum class ValueKind : std::uint8_t { kText, kNumber, kBytes, kTime };

/// "src", "txBytes"; the name in JSON, CSV and --sort.
[[nodiscard]] std::string_view column_name(Column column) noexcept;
[[nodiscard]] std::optional<Column> column_of(std::string_view name) noexcept;
[[nodiscard]] ValueKind value_kind(Column column) noexcept;

struct Sort {
  Column column = Column::kBytes;
  bool descending = true;
};

struct Query {
  Filter filter{};
  /// Records whose window overlaps [start_ns, end_ns).
  std::int64_t start_ns = std::numeric_limits<std::int64_t>::min();
  std::int64_t end_ns = std::numeric_limits<std::int64_t>::max();
  std::vector<Column> group_by{};  ///< empty: connections
  std::int64_t bucket_ns = 0;      ///< of Column::kTime
  std::optional<Sort> sort{};      ///< none: connections by time; groups by bytes, most first
  std::uint64_t limit = 0;         ///< 0: all
};

/// A question as people write it; empty: not given.
struct QueryText {
  std::string filter{};
  std::string since{};  ///< a start, where `start` is not given
  std::string start{};
  std::string end{};
  std::string group_by{};  ///< "src,port", "peer", "time:5m"
  std::string sort{};      ///< "bytes", "-bytes" (most first), "+src", "src:asc", "bytes:desc"
  std::string limit{};
};

/// kInvalidArgument: says which part is wrong and what is allowed.
[[nodiscard]] base::Result<Query> parse_query(const QueryText& text, std::int64_t now_ns,
                                              const ZoneOffset& zone = local_zone());

/// The columns of an answer, in order.
[[nodiscard]] std::vector<Column> columns_of(const Query& query);

/// A text, a number or a time, as the column says.
using Value = std::variant<std::string, std::uint64_t, std::int64_t>;

struct Row {
  std::vector<Value> values{};  ///< one for each column of columns_of()
  bool other = false;           ///< the sums of all groups beyond kGroupsMax; its texts are empty
};

/// Takes rows in the order of the answer; false: no more of them.
using RowSink = std::function<bool(const Row&)>;

struct Progress {
  std::uint64_t records = 0;        ///< passed so far, those that were skipped by their frames included
  std::uint64_t records_total = 0;  ///< in the journal
};

struct RunOptions {
  unsigned threads = 1;  ///< for groups and sorted rows; rows in order of time come from one
  std::stop_token stop{};
  std::function<void(const Progress&)> progress{};  ///< some times a second, by the calling thread
};

/// Records that could not be had.
struct Missing {
  std::uint64_t removed = 0;  ///< by retention, while this ran
  std::uint64_t damaged = 0;
  std::uint64_t lost = 0;        ///< nobody knows why
  std::uint64_t unreadable = 0;  ///< lines that are no records

  [[nodiscard]] std::uint64_t all() const noexcept { return removed + damaged + lost + unreadable; }
  Missing& operator+=(const Missing& other) noexcept;
};

struct Summary {
  std::uint64_t records = 0;      ///< that were read
  std::uint64_t connections = 0;  ///< that were looked at
  std::uint64_t matched = 0;
  std::uint64_t rows = 0;
  std::uint64_t groups_beyond = 0;  ///< in the row `other`; a group may be in it more than once
  std::uint64_t bytes = 0;          ///< of the lines that were read
  std::uint64_t frames_read = 0;
  std::uint64_t frames_passed = 0;
  Missing missing{};
  /// Where the journal begins, if retention removed what was before it and that was asked for.
  std::optional<std::int64_t> begins_ns{};
  bool whole = true;  ///< false: the stop or the sink ended it
};

/// Answers from the journal in `directory`, which may be written meanwhile. Memory is bounded by the
/// constants above, whatever the answer. An Error: the journal cannot be read; what can be missed is in the
/// summary.
[[nodiscard]] base::Result<Summary> run_query(const Query& query, const std::string& directory,
                                              const RunOptions& options, const RowSink& sink);

}  // namespace flowtally::query
