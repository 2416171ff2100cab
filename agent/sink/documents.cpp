#include "sink/documents.hpp"

#include <string>

#include <fmt/format.h>

#include "query/names.hpp"
#include "query/values.hpp"
#include "sink/json_line.hpp"

namespace flowtally::sink {
namespace {

using model::Address;
using model::Endpoint;
using model::ItemFormat;

constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kIcmpV6 = 58;
/// What Tailscale's records have for second and later fragments.
constexpr std::uint8_t kFragment = 255;

/// A connection, and what several forms say of it.
struct View {
  const query::Line& line;
  const query::Connection& connection;
  std::int64_t logged_ns;
  std::string_view id;

  [[nodiscard]] const model::Flow& flow() const noexcept { return connection.flow; }
  [[nodiscard]] const model::Counters& counters() const noexcept { return connection.flow.counters; }
  /// Anonymised exit traffic and physical traffic have no protocol.
  [[nodiscard]] bool has_protocol() const noexcept { return flow().proto != 0; }
  [[nodiscard]] std::string_view network_type() const noexcept {
    const Address& known = flow().local.address.valid() ? flow().local.address : flow().remote.address;
    if (!known.valid()) return {};
    return known.family == Address::Family::kV4 ? "ipv4" : "ipv6";
  }
  /// The lower-case word that forms know; empty: it has none.
  [[nodiscard]] std::string transport() const {
    switch (flow().proto) {
      case 0:
      case kFragment: return {};
      case kIcmp: return "icmp";
      case kIcmpV6: return "ipv6-icmp";
      default: return query::protocol_name(flow().proto);
    }
  }
  [[nodiscard]] std::string_view traffic() const noexcept {
    return query::class_name(connection.traffic_class);
  }
  [[nodiscard]] std::int64_t duration_ns() const noexcept { return line.end_ns - line.start_ns; }
};

/// ---- flattened: Tailscale's names, a member for each

void flattened_end(const char* name, const char* port_name, const Endpoint& end, JsonLine& json) {
  if (!end.address.valid()) return;
  json.address(name, end.address);
  if (end.port != 0) json.number(port_name, end.port);
}

void flattened(const View& view, JsonLine& json) {
  json.word("id", view.id);
  if (view.logged_ns != 0) json.time("logged", view.logged_ns);
  json.text("nodeId", view.line.node_id);
  json.time("start", view.line.start_ns);
  json.time("end", view.line.end_ns);
  json.word("class", view.traffic());
  if (view.has_protocol()) json.number("proto", view.flow().proto);
  flattened_end("src", "srcPort", view.flow().local, json);
  flattened_end("dst", "dstPort", view.flow().remote, json);
  json.number("txPkts", view.counters().tx_packets);
  json.number("txBytes", view.counters().tx_bytes);
  json.number("rxPkts", view.counters().rx_packets);
  json.number("rxBytes", view.counters().rx_bytes);
  json.text_if("node", query::node_text(view.line));
  json.text_if("peer", query::peer_text(view.line, view.connection));
  json.text_if("user", query::user_text(view.line, view.connection));
  json.text_if("tags", query::tags_text(view.line, view.connection));
}

/// ---- Elastic Common Schema 8

void ecs_end(const char* name, const Endpoint& end, std::uint64_t packets, std::uint64_t bytes,
             JsonLine& json) {
  json.begin(name);
  if (end.address.valid()) {
    json.address("address", end.address);
    json.address("ip", end.address);
    if (end.port != 0) json.number("port", end.port);
  }
  json.number("packets", packets);
  json.number("bytes", bytes);
  json.end();
}

void ecs(const View& view, JsonLine& json) {
  const model::Counters& counters = view.counters();
  json.time("@timestamp", view.line.start_ns);
  json.raw("ecs", R"({"version":"8.11.0"})");
  json.begin("event");
  json.raw("kind", R"("event","category":["network"],"type":["connection"],"action":"network_flow")");
  json.word("dataset", "flowtally.network");
  json.word("id", view.id);
  json.time("start", view.line.start_ns);
  json.time("end", view.line.end_ns);
  json.number("duration", static_cast<std::uint64_t>(view.duration_ns()));
  if (view.logged_ns != 0) json.time("created", view.logged_ns);
  json.end();
  json.begin("host");
  json.text("id", view.line.node_id);
  json.text_if("name", query::node_text(view.line));
  json.end();
  json.begin("network");
  if (view.has_protocol()) {
    json.raw("iana_number", '"' + std::to_string(view.flow().proto) + '"');
    json.text_if("transport", view.transport());
  }
  if (!view.network_type().empty()) json.word("type", view.network_type());
  json.word("name", view.traffic());
  json.number("packets", counters.tx_packets + counters.rx_packets);
  json.number("bytes", counters.tx_bytes + counters.rx_bytes);
  json.text_if("community_id", community_id(view.flow()));
  json.end();
  ecs_end("source", view.flow().local, counters.tx_packets, counters.tx_bytes, json);
  ecs_end("destination", view.flow().remote, counters.rx_packets, counters.rx_bytes, json);
  json.begin("flowtally");
  json.word("class", view.traffic());
  json.text_if("peer", query::peer_text(view.line, view.connection));
  json.text_if("user", query::user_text(view.line, view.connection));
  json.text_if("tags", query::tags_text(view.line, view.connection));
  json.end();
}

/// ---- OCSF 1.3, class 4001 Network Activity, activity 6 Traffic

void ocsf_end(const char* name, const Endpoint& end, std::string_view host, JsonLine& json) {
  if (!end.address.valid()) return;
  json.begin(name);
  json.address("ip", end.address);
  if (end.port != 0) json.number("port", end.port);
  json.text_if("hostname", host);
  json.end();
}

void ocsf(const View& view, JsonLine& json) {
  const model::Counters& counters = view.counters();
  json.raw("category_uid", R"(4,"class_uid":4001,"activity_id":6,"type_uid":400106,"severity_id":1)");
  json.milliseconds("time", view.line.start_ns);
  json.milliseconds("start_time", view.line.start_ns);
  json.milliseconds("end_time", view.line.end_ns);
  json.number("duration", static_cast<std::uint64_t>(view.duration_ns() / 1'000'000));
  json.begin("metadata");
  json.raw("version", R"("1.3.0","product":{"name":"flowtally","vendor_name":"flowtally"})");
  json.word("uid", view.id);
  if (view.logged_ns != 0) json.milliseconds("logged_time", view.logged_ns);
  json.end();
  json.begin("device");
  json.raw("type_id", "0");
  json.text("uid", view.line.node_id);
  json.text_if("hostname", query::node_text(view.line));
  json.end();
  json.begin("connection_info");
  json.raw("direction_id", "0");
  json.word("boundary", view.traffic());
  if (view.has_protocol()) {
    json.number("protocol_num", view.flow().proto);
    json.text_if("protocol_name", view.transport());
  }
  json.text_if("community_uid", community_id(view.flow()));
  json.end();
  ocsf_end("src_endpoint", view.flow().local, {}, json);
  ocsf_end("dst_endpoint", view.flow().remote, query::peer_text(view.line, view.connection), json);
  json.begin("traffic");
  json.number("packets", counters.tx_packets + counters.rx_packets);
  json.number("bytes", counters.tx_bytes + counters.rx_bytes);
  json.number("packets_out", counters.tx_packets);
  json.number("bytes_out", counters.tx_bytes);
  json.number("packets_in", counters.rx_packets);
  json.number("bytes_in", counters.rx_bytes);
  json.end();
}

/// ---- OpenTelemetry: flat attributes, its names where it has them

void otel(const View& view, JsonLine& json) {
  const model::Flow& flow = view.flow();
  if (flow.local.address.valid()) json.address("source.address", flow.local.address);
  if (flow.local.port != 0) json.number("source.port", flow.local.port);
  if (flow.remote.address.valid()) json.address("destination.address", flow.remote.address);
  if (flow.remote.port != 0) json.number("destination.port", flow.remote.port);
  if (view.has_protocol()) {
    json.text_if("network.transport", view.transport());
    json.number("flowtally.proto", flow.proto);
  }
  if (!view.network_type().empty()) json.word("network.type", view.network_type());
  json.text("host.id", view.line.node_id);
  json.text_if("host.name", query::node_text(view.line));
  json.word("flowtally.class", view.traffic());
  json.time("flowtally.start", view.line.start_ns);
  json.time("flowtally.end", view.line.end_ns);
  json.number("flowtally.tx.packets", view.counters().tx_packets);
  json.number("flowtally.tx.bytes", view.counters().tx_bytes);
  json.number("flowtally.rx.packets", view.counters().rx_packets);
  json.number("flowtally.rx.bytes", view.counters().rx_bytes);
  json.text_if("flowtally.peer", query::peer_text(view.line, view.connection));
  json.text_if("flowtally.user", query::user_text(view.line, view.connection));
  json.text_if("flowtally.tags", query::tags_text(view.line, view.connection));
}

/// ---- Splunk's Common Information Model, Network Traffic

void cim(const View& view, JsonLine& json) {
  const model::Flow& flow = view.flow();
  const model::Counters& counters = view.counters();
  json.word("event_id", view.id);
  json.time("start", view.line.start_ns);
  json.time("end", view.line.end_ns);
  json.raw("duration", fmt::format("{:.3f}", static_cast<double>(view.duration_ns()) / 1e9));
  json.text("dvc", view.line.node_id);
  json.text_if("dvc_host", query::node_text(view.line));
  json.raw("action", "\"allowed\"");
  if (flow.local.address.valid()) json.address("src_ip", flow.local.address);
  if (flow.local.port != 0) json.number("src_port", flow.local.port);
  if (flow.remote.address.valid()) json.address("dest_ip", flow.remote.address);
  if (flow.remote.port != 0) json.number("dest_port", flow.remote.port);
  if (view.has_protocol()) {
    json.text_if("transport", view.transport());
    json.number("protocol_id", flow.proto);
  }
  if (!view.network_type().empty()) json.word("protocol_version", view.network_type());
  json.number("packets_out", counters.tx_packets);
  json.number("bytes_out", counters.tx_bytes);
  json.number("packets_in", counters.rx_packets);
  json.number("bytes_in", counters.rx_bytes);
  json.number("packets", counters.tx_packets + counters.rx_packets);
  json.number("bytes", counters.tx_bytes + counters.rx_bytes);
  json.word("traffic_class", view.traffic());
  json.text_if("dest_host", query::peer_text(view.line, view.connection));
  json.text_if("user", query::user_text(view.line, view.connection));
  json.text_if("tags", query::tags_text(view.line, view.connection));
}

std::string_view text_of(model::LogType type) noexcept { return model::log_type_name(type); }

}  // namespace

void append_document(ItemFormat format, const query::Line& line, const query::Connection& connection,
                     std::int64_t logged_ns, std::string_view id, std::string& out) {
  const View view{line, connection, logged_ns, id};
  JsonLine json(out);
  switch (format) {
    case ItemFormat::kEcs: ecs(view, json); break;
    case ItemFormat::kOcsf: ocsf(view, json); break;
    case ItemFormat::kOtel: otel(view, json); break;
    case ItemFormat::kCim: cim(view, json); break;
    case ItemFormat::kRecord:
    case ItemFormat::kFlattened: flattened(view, json); break;
  }
  json.end();
}

void append_audit_document(ItemFormat format, std::string_view event, std::int64_t time_ns,
                           std::string& out) {
  if (format == ItemFormat::kRecord || format == ItemFormat::kFlattened || format == ItemFormat::kCim) {
    out += event;
    return;
  }
  JsonLine json(out);
  switch (format) {
    case ItemFormat::kEcs:
      json.time("@timestamp", time_ns);
      json.raw("ecs", R"({"version":"8.11.0"})");
      json.raw("event", R"({"kind":"event","category":["configuration"],"type":["change"],)"
                        R"("dataset":"flowtally.configuration"})");
      json.begin("flowtally");
      json.raw("configuration", event);
      json.end();
      break;
    case ItemFormat::kOcsf:
      json.raw("category_uid", R"(3,"class_uid":3004,"activity_id":3,"type_uid":300403,"severity_id":1)");
      json.milliseconds("time", time_ns);
      json.raw("metadata", R"({"version":"1.3.0","product":{"name":"flowtally","vendor_name":"flowtally"}})");
      json.raw("entity", R"({"name":"flowtally","type":"configuration"})");
      json.raw("unmapped", event);
      break;
    default: json.word("event.name", "configuration.event"); json.raw("flowtally.configuration", event);
  }
  json.end();
}

void append_gap_document(ItemFormat format, const GapNews& gap, std::string& out) {
  JsonLine json(out);
  if (format == ItemFormat::kEcs) {
    json.time("@timestamp", gap.time_ns);
    json.raw("ecs", R"({"version":"8.11.0"})");
    json.raw("event", R"({"kind":"event","category":["process"],"type":["error"],"action":"gap",)"
                      R"("dataset":"flowtally.gap"})");
    json.begin("flowtally");
  } else if (format == ItemFormat::kOcsf) {
    json.raw("category_uid", R"(0,"class_uid":0,"activity_id":99,"type_uid":99,"severity_id":3)");
    json.milliseconds("time", gap.time_ns);
    json.raw("metadata", R"({"version":"1.3.0","product":{"name":"flowtally","vendor_name":"flowtally"}})");
    json.begin("unmapped");
  }
  json.word("event", "gap");
  json.word("logType", text_of(gap.log_type));
  json.text("sink", gap.sink);
  json.text_if("nodeId", gap.node_id);
  json.number("first", gap.first);
  json.number("count", gap.count);
  json.word("reason", gap.reason);
  json.time("time", gap.time_ns);
  if (format == ItemFormat::kEcs || format == ItemFormat::kOcsf) json.end();
  json.end();
}

}  // namespace flowtally::sink
