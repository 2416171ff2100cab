#include "server/api/fake_source.hpp"

#include <stdexcept>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "record/text.hpp"
#include "record/writer.hpp"

namespace flowtally::test {
namespace {

constexpr std::uint64_t kEpochStart = 1000;

model::Address address4(unsigned last) {
  return model::Address::v4(
      {100, 64, static_cast<std::uint8_t>(last >> 8U), static_cast<std::uint8_t>(last)});
}

model::Node make_node(std::string id, std::string name, unsigned last, bool online) {
  model::Node node{.id = std::move(id), .name = std::move(name), .os = "linux", .online = online};
  node.addresses = {address4(last)};
  node.allowed_ips = {model::Prefix::single(address4(last))};
  return node;
}

std::shared_ptr<const model::NodeMap> make_tailnet() {
  model::Tailnet tailnet{.source = model::Tailnet::Source::kTailscaled};
  tailnet.self = make_node("nLab01CNTRL", "lab-n1.tailnet-lab.ts.net", 1, true);
  tailnet.self.user = "user@example.com";
  tailnet.peers.push_back(make_node("nLab02CNTRL", "lab-n2.tailnet-lab.ts.net", 2, true));
  tailnet.peers.back().tags = {"tag:server"};
  tailnet.peers.back().primary_routes = {model::Prefix::of(model::Address::v4({10, 9, 0, 0}), 24)};
  tailnet.peers.push_back(make_node("nLab03CNTRL", "quote\"d.tailnet-lab.ts.net", 3, false));
  tailnet.prefs = model::RoutingPrefs{};
  return model::NodeMap::make(std::move(tailnet));
}

model::Flow make_flow(std::uint64_t number) {
  const auto port = static_cast<std::uint16_t>(1024 + number % 60000);
  return {.local = {.address = address4(1), .port = port},
          .remote = {.address = address4(2 + static_cast<unsigned>(number % 250)), .port = 443},
          .proto = 6,
          .counters = {.tx_packets = 3 + number % 97,
                       .tx_bytes = 1200 + number % 8191,
                       .rx_packets = 5 + number % 89,
                       .rx_bytes = 90000 + number % 65521}};
}

}  // namespace

std::string make_line(std::uint64_t number, std::size_t flows) {
  model::Record record{.node_id = "nLab01CNTRL"};
  record.end_ns = kFirstEndNs + static_cast<std::int64_t>(number) * kWindowNs;
  record.start_ns = record.end_ns - kWindowNs;
  for (std::size_t at = 0; at < flows; ++at) {
    record.virtual_traffic.push_back(make_flow(number * 7919 + at));
    record.accounting.totals += record.virtual_traffic.back().counters;
  }
  record.accounting.boot_id = "5f0c3b1e-8b7e-4a53-9f0e-6d4f6a1c2b3d";
  record.accounting.epoch = kEpochStart + number;
  std::string line;
  record::append_record(record, {}, line);
  return line;
}

FakeSource::FakeSource(std::string directory)
    : journal_directory_(std::move(directory) + "/network"), nodes_(make_tailnet()) {
  auto opened =
      journal::Journal::open({.directory = journal_directory_, .sync = journal::SyncPolicy::kNever});
  if (!opened) throw std::runtime_error(opened.error().text());
  journal_ = std::make_unique<journal::Journal>(std::move(*opened));
  records_ = journal_->state().next - 1;
  status_.now = status_.started = base::now();
  status_.version = "0.test";
  status_.node_id = "nLab01CNTRL";
  status_.attachments = {{.interface = "tailscale0", .ifindex = 7, .attached = true, .mode = "TCX"}};
  status_.drain = {.interval_ns = kWindowNs, .tried_at = status_.now};
  status_.journals = {{.log_type = "network"}};
}

void FakeSource::append(std::size_t records, std::size_t flows) {
  for (std::size_t at = 0; at < records; ++at) {
    append_line(make_line(records_, flows), kFirstEndNs + static_cast<std::int64_t>(records_) * kWindowNs);
  }
}

void FakeSource::append_logged(std::int64_t end_ns, std::int64_t logged_ns) {
  std::string line = "{\"logged\":\"" + record::time_text(logged_ns) + "\",\"nodeId\":\"n1\",\"start\":\"";
  line += record::time_text(end_ns - kWindowNs) + "\",\"end\":\"" + record::time_text(end_ns) + "\"}\n";
  append_line(line, end_ns);
}

void FakeSource::append_line(const std::string& line, std::int64_t end_ns) {
  const journal::Entry entry{.line = line,
                             .start_ns = end_ns - kWindowNs,
                             .end_ns = end_ns,
                             .key = {.boot_hash = 1, .epoch = kEpochStart + records_, .part = 1, .parts = 1}};
  auto appended = journal_->append({&entry, 1});
  if (!appended) throw std::runtime_error(appended.error().text());
  ++records_;
}

void FakeSource::seal_all() {
  for (;;) {
    auto sealed = journal_->seal_one();
    if (!sealed) throw std::runtime_error(sealed.error().text());
    if (!*sealed) return;
  }
}

void FakeSource::set_status(model::AgentStatus status) {
  const std::lock_guard lock(mutex_);
  status_ = std::move(status);
}

model::AgentStatus FakeSource::status() {
  const std::lock_guard lock(mutex_);
  model::AgentStatus status = status_;
  const journal::JournalState state = journal_->state();
  if (!status.journals.empty()) {
    status.journals[0].first = state.first;
    status.journals[0].next = state.next;
    status.journals[0].bytes = state.bytes;
    status.journals[0].segments = state.segments;
  }
  return status;
}

base::Result<api::LiveWindow> FakeSource::live() {
  api::LiveWindow live{.node_id = "nLab01CNTRL", .boot_id = "5f0c3b1e-8b7e-4a53-9f0e-6d4f6a1c2b3d"};
  live.window.start.wall_ns = kFirstEndNs - kWindowNs;
  live.window.end.wall_ns = kFirstEndNs;
  live.window.epoch = 1;
  live.window.nodes = nodes_;
  live.window.of(model::TrafficClass::kVirtual) = {make_flow(1)};
  live.window.totals.hook = make_flow(1).counters;
  return live;
}

std::string FakeSource::journal_directory(api::LogType type) const {
  return type == api::LogType::kNetwork ? journal_directory_ : std::string();
}

}  // namespace flowtally::test
