#include "sink/batch_maker.hpp"

#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <xxhash.h>

#include "record/parse.hpp"
#include "record/text.hpp"
#include "record/writer.hpp"
#include "sink/documents.hpp"

namespace flowtally::sink {
namespace {

using model::ItemFormat;

constexpr std::string_view kLogged = R"({"logged":")";
constexpr std::string_view kAccounting = R"("accounting":{"bootId":")";
constexpr std::string_view kParts = R"(,"parts":)";
constexpr std::string_view kNodeId = R"("nodeId":")";

std::string_view without_line_end(std::string_view line) noexcept {
  if (line.ends_with('\n')) line.remove_suffix(1);
  return line;
}

/// 0 where the line does not say.
std::int64_t logged_of(std::string_view line) {
  if (!line.starts_with(kLogged)) return 0;
  line.remove_prefix(kLogged.size());
  return record::parse_time(line.substr(0, line.find('"'))).value_or(0);
}

std::string_view reason_text(journal::Gap::Reason reason) noexcept {
  switch (reason) {
    case journal::Gap::Reason::kRemoved: return "removed";
    case journal::Gap::Reason::kDamaged: return "damaged";
    case journal::Gap::Reason::kMissing: break;
  }
  return "missing";
}

std::vector<model::Flow>& list_of(model::Record& record, model::TrafficClass which) noexcept {
  switch (which) {
    case model::TrafficClass::kSubnet: return record.subnet_traffic;
    case model::TrafficClass::kExit: return record.exit_traffic;
    case model::TrafficClass::kPhysical: return record.physical_traffic;
    case model::TrafficClass::kVirtual: break;
  }
  return record.virtual_traffic;
}

/// Of a line that was not read otherwise.
void take_node_id(std::string_view line, Batch& batch) {
  if (!batch.node_id.empty()) return;
  const std::size_t at = line.find(kNodeId);
  if (at == std::string_view::npos) return;
  const std::string_view rest = line.substr(at + kNodeId.size());
  batch.node_id = rest.substr(0, rest.find('"'));
}

}  // namespace

RecordHash record_hash(std::string_view line) noexcept {
  // The accounting is the last of a record, so it is looked for from behind: what stands before is long.
  std::string_view named = without_line_end(line);
  if (const std::size_t at = line.rfind(kAccounting); at != std::string_view::npos) {
    const std::string_view rest = line.substr(at);
    if (const std::size_t end = rest.find(kParts); end != std::string_view::npos) named = rest.substr(0, end);
  }
  const XXH128_hash_t hash = XXH3_128bits(named.data(), named.size());
  return {hash.high64, hash.low64};
}

base::Result<BatchMaker> BatchMaker::make(const model::SinkSettings& settings, model::LogType log_type) {
  // A filter speaks of connections: events of the audit log have none.
  auto filter = query::Filter::parse(log_type == model::LogType::kNetwork ? settings.filter : std::string());
  if (!filter) return base::fail(std::move(filter.error()).during("the filter of sink " + settings.name));
  return BatchMaker(settings, log_type, std::move(*filter));
}

void BatchMaker::end_item(Item item, std::size_t begin, Batch& batch) {
  item.at = begin;
  item.size = batch.text.size() - begin;
  batch.items.push_back(item);
}

bool BatchMaker::add(const journal::Record& record, Batch& batch) {
  const std::string_view line = without_line_end(record.line);
  if (log_type_ == model::LogType::kNetwork) {
    if (!add_network(record, line, batch)) return false;
  } else {
    const std::int64_t logged_ns = logged_of(line);
    if (logged_ns == 0) return false;
    const std::size_t begin = batch.text.size();
    append_audit_document(format_, line, record.start_ns, batch.text);
    end_item({.sequence = record.sequence,
              .time_ns = record.start_ns,
              .logged_ns = logged_ns,
              .record = record_hash(line)},
             begin, batch);
  }
  batch.next = record.sequence + 1;
  return true;
}

bool BatchMaker::add_network(const journal::Record& record, std::string_view line, Batch& batch) {
  Item item{.sequence = record.sequence,
            .time_ns = record.start_ns,
            .logged_ns = logged_of(line),
            .record = record_hash(line)};
  if (format_ == ItemFormat::kRecord && filter_.empty()) {
    // As it is, unread: but a line that is no object would spoil a body of many.
    if (!line.starts_with('{') || !line.ends_with('}')) return false;
    if (record.start_ns == journal::kTimeUnknownStart) {
      const query::Line* const read = lines_.read(line, query::Nodes::kNo);
      if (read == nullptr) return false;
      item.time_ns = read->start_ns;
    }
    take_node_id(line, batch);
    const std::size_t begin = batch.text.size();
    batch.text += line;
    end_item(item, begin, batch);
    return true;
  }
  const bool names = filter_.needs_nodes() || format_ != ItemFormat::kRecord;
  const query::Line* const read = lines_.read(line, names ? query::Nodes::kYes : query::Nodes::kNo);
  if (read == nullptr) return false;
  if (batch.node_id.empty()) batch.node_id = read->node_id;
  item.time_ns = read->start_ns;
  if (format_ == ItemFormat::kRecord) return add_matching_part(*read, line, item, batch);
  add_connections(*read, item, batch);
  return true;
}

void BatchMaker::add_connections(const query::Line& line, Item item, Batch& batch) {
  for (const query::Connection& connection : line.connections) {
    // Its number is its place in the record, whatever the filter leaves out.
    const std::uint32_t part = item.part++;
    if (!filter_.matches(line, connection)) {
      ++filtered_;
      continue;
    }
    const std::size_t begin = batch.text.size();
    Item made = item;
    made.part = part;
    append_document(format_, line, connection, item.logged_ns, item_id(batch, made), batch.text);
    end_item(made, begin, batch);
  }
}

/// The record with the connections that match, and without its accounting: those sums are of all of them.
bool BatchMaker::add_matching_part(const query::Line& line, std::string_view text, Item item, Batch& batch) {
  auto record = records_.read(text);
  if (!record) return false;
  record->virtual_traffic.clear();
  record->subnet_traffic.clear();
  record->exit_traffic.clear();
  record->physical_traffic.clear();
  std::size_t matching = 0;
  for (const query::Connection& connection : line.connections) {
    if (!filter_.matches(line, connection)) {
      ++filtered_;
      continue;
    }
    ++matching;
    list_of(*record, connection.traffic_class).push_back(connection.flow);
  }
  if (matching == 0) return true;
  const std::size_t begin = batch.text.size();
  record::append_record(*record, {.accounting = false}, batch.text);
  batch.text.pop_back();  // the line end
  if (item.logged_ns != 0) {
    batch.text.replace(begin, 1, fmt::format("{}{}\",", kLogged, record::time_text(item.logged_ns)));
  }
  end_item(item, begin, batch);
  return true;
}

void BatchMaker::add_gap(const journal::Gap& gap, std::int64_t time_ns, Batch& batch) {
  const std::size_t begin = batch.text.size();
  append_gap_document(format_,
                      {.sink = sink_,
                       .log_type = log_type_,
                       .node_id = batch.node_id,
                       .first = gap.records.first,
                       .count = gap.records.count,
                       .reason = reason_text(gap.reason),
                       .time_ns = time_ns},
                      batch.text);
  end_item({.sequence = gap.records.first,
            .time_ns = time_ns,
            .logged_ns = time_ns,
            .record = {gap.records.first, gap.records.count}},
           begin, batch);
  batch.next = gap.records.first + gap.records.count;
}

void BatchMaker::add_test(std::int64_t time_ns, Batch& batch) {
  const std::string time = record::time_text(time_ns);
  std::string line;
  if (log_type_ == model::LogType::kNetwork) {
    // Addresses that are for documentation: RFC 5737.
    line =
        fmt::format(R"({{"logged":"{0}","nodeId":"flowtally-test","start":"{0}","end":"{0}",)"
                    R"("virtualTraffic":[{{"proto":6,)"
                    R"("src":"192.0.2.1:49152","dst":"198.51.100.1:443","txPkts":1,"txBytes":40,"rxPkts":1,)"
                    R"("rxBytes":40}}]}})",
                    time);
  } else {
    line = fmt::format(
        R"({{"logged":"{0}","eventTime":"{0}","type":"CONFIG",)"
        R"("eventGroupID":"00000000000000000000000000000000",)"
        R"("origin":"NODE","actor":{{"id":"flowtally-test","type":"NODE"}},"target":{{"id":"flowtally-test",)"
        R"("type":"NODE"}},"action":"VERIFY"}})",
        time);
  }
  const query::Filter filter = std::exchange(filter_, query::Filter());
  static_cast<void>(add({.line = line, .sequence = 0, .start_ns = time_ns, .end_ns = time_ns}, batch));
  filter_ = filter;
}

}  // namespace flowtally::sink
