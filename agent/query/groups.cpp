#include "query/groups.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "query/names.hpp"
#include "query/values.hpp"
#include "record/text.hpp"

namespace flowtally::query {
namespace {

template <class Number>
void append_number(Number number, std::string& key) {
  char bytes[sizeof(Number)];
  std::memcpy(bytes, &number, sizeof(number));
  key.append(bytes, sizeof(bytes));
}

void append_text(std::string_view text, std::string& key) {
  append_number(static_cast<std::uint32_t>(text.size()), key);
  key += text;
}

void append_address(const model::Address& address, std::string& key) {
  key += static_cast<char>(address.family);
  key.append(reinterpret_cast<const char*>(address.bytes.data()),
             address.family == model::Address::Family::kV4 ? 4 : address.bytes.size());
}

/// Takes a key apart again.
class KeyReader {
 public:
  explicit KeyReader(std::string_view key) : key_(key) {}

  template <class Number>
  Number number() {
    Number number{};
    std::memcpy(&number, key_.data(), sizeof(number));
    key_.remove_prefix(sizeof(number));
    return number;
  }
  std::string text() {
    const auto length = number<std::uint32_t>();
    std::string text(key_.substr(0, length));
    key_.remove_prefix(length);
    return text;
  }
  std::string address() {
    model::Address address{.family = static_cast<model::Address::Family>(number<char>())};
    const std::size_t bytes = address.family == model::Address::Family::kV4 ? 4 : address.bytes.size();
    std::memcpy(address.bytes.data(), key_.data(), bytes);
    key_.remove_prefix(bytes);
    return record::to_text(address);
  }

 private:
  std::string_view key_;
};

Value value_of(Column column, KeyReader& key) {
  switch (column) {
    case Column::kTime: return key.number<std::int64_t>();
    case Column::kSrc:
    case Column::kDst: return key.address();
    case Column::kSrcPort:
    case Column::kDstPort:
    case Column::kPort: return std::uint64_t{key.number<std::uint16_t>()};
    case Column::kProto: return protocol_name(key.number<std::uint8_t>());
    case Column::kClass:
      return std::string(class_name(static_cast<model::TrafficClass>(key.number<std::uint8_t>())));
    default: return key.text();
  }
}

Value sum_of(Column column, const GroupSums& sums) {
  const model::Counters& counters = sums.counters;
  switch (column) {
    case Column::kFlows: return sums.flows;
    case Column::kTxPackets: return counters.tx_packets;
    case Column::kTxBytes: return counters.tx_bytes;
    case Column::kRxPackets: return counters.rx_packets;
    case Column::kRxBytes: return counters.rx_bytes;
    case Column::kPackets: return counters.tx_packets + counters.rx_packets;
    case Column::kFirstSeen: return sums.first_ns;
    case Column::kLastSeen: return sums.last_ns;
    default: return counters.tx_bytes + counters.rx_bytes;
  }
}

Value empty_value(Column column) {
  switch (value_kind(column)) {
    case ValueKind::kText: return std::string();
    case ValueKind::kTime: return std::int64_t{0};
    default: return std::uint64_t{0};
  }
}

}  // namespace

GroupSums& GroupSums::operator+=(const GroupSums& other) noexcept {
  counters += other.counters;
  flows += other.flows;
  first_ns = std::min(first_ns, other.first_ns);
  last_ns = std::max(last_ns, other.last_ns);
  return *this;
}

GroupTable::GroupTable(std::vector<Column> keys, std::int64_t bucket_ns, std::size_t groups_max)
    : keys_(std::move(keys)), bucket_ns_(bucket_ns), groups_max_(groups_max) {}

void GroupTable::append_key(Column column, const Line& line, const Connection& connection) {
  const model::Flow& flow = connection.flow;
  switch (column) {
    case Column::kTime: {
      const std::int64_t rest = ((line.start_ns % bucket_ns_) + bucket_ns_) % bucket_ns_;
      append_number(line.start_ns - rest, key_);
      break;
    }
    case Column::kSrc: append_address(flow.local.address, key_); break;
    case Column::kDst: append_address(flow.remote.address, key_); break;
    case Column::kSrcPort: append_number(flow.local.port, key_); break;
    case Column::kDstPort: append_number(flow.remote.port, key_); break;
    case Column::kPort: append_number(service_port_of(flow), key_); break;
    case Column::kProto: append_number(flow.proto, key_); break;
    case Column::kClass: append_number(static_cast<std::uint8_t>(connection.traffic_class), key_); break;
    case Column::kNode: append_text(node_text(line), key_); break;
    case Column::kPeer: append_text(peer_text(line, connection), key_); break;
    case Column::kUser: append_text(user_text(line, connection), key_); break;
    case Column::kTag: append_text(tags_text(line, connection), key_); break;
    default: break;
  }
}

void GroupTable::add(const Line& line, const Connection& connection) {
  key_.clear();
  for (const Column column : keys_) append_key(column, line, connection);
  add(key_,
      {.counters = connection.flow.counters, .flows = 1, .first_ns = line.start_ns, .last_ns = line.end_ns});
}

void GroupTable::add(std::string_view key, const GroupSums& sums) {
  const auto found = groups_.find(key);
  if (found != groups_.end()) {
    found->second += sums;
  } else if (groups_.size() < groups_max_) {
    groups_.emplace(key, sums);
  } else {
    other_ += sums;
    ++beyond_;
  }
}

void GroupTable::merge(const GroupTable& other) {
  for (const auto& [key, sums] : other.groups_) add(key, sums);
  other_ += other.other_;
  beyond_ += other.beyond_;
}

std::vector<Value> GroupTable::key_values(std::string_view key) const {
  std::vector<Value> values;
  values.reserve(keys_.size());
  KeyReader reader(key);
  for (const Column column : keys_) {
    values.push_back(key.empty() ? empty_value(column) : value_of(column, reader));
  }
  return values;
}

Row GroupTable::row_of(std::string_view key, const GroupSums& sums) const {
  Row row{.values = key_values(key)};
  for (const Column column : kSumColumns) row.values.push_back(sum_of(column, sums));
  return row;
}

std::vector<GroupTable::Place> GroupTable::places(Column by) const {
  const auto key_at = static_cast<std::size_t>(std::ranges::find(keys_, by) - keys_.begin());
  std::vector<Place> places;
  places.reserve(groups_.size());
  for (const auto& group : groups_) {
    places.push_back(
        {.by = key_at < keys_.size() ? key_values(group.first)[key_at] : sum_of(by, group.second),
         .group = &group});
  }
  return places;
}

bool GroupTable::give_rows(const Sort& sort, std::uint64_t limit, const RowSink& sink) const {
  std::vector<Place> found = places(sort.column);
  // Ties by the keys, so that an answer is the same each time.
  const auto in_order = [&](const Place& left, const Place& right) {
    if (left.by != right.by) return before(left.by, right.by, sort.descending);
    return left.group != right.group && key_values(left.group->first) < key_values(right.group->first);
  };
  const std::size_t wanted =
      limit == 0 ? found.size() : static_cast<std::size_t>(std::min<std::uint64_t>(limit, found.size()));
  std::ranges::partial_sort(found, found.begin() + static_cast<std::ptrdiff_t>(wanted), in_order);
  for (std::size_t at = 0; at < wanted; ++at) {
    const auto& [key, sums] = *found[at].group;
    if (!sink(row_of(key, sums))) return false;
  }
  if (other_.flows == 0) return true;
  Row others = row_of({}, other_);
  others.other = true;
  return sink(others);
}

bool before(const Value& left, const Value& right, bool descending) {
  return descending ? right < left : left < right;
}

}  // namespace flowtally::query
