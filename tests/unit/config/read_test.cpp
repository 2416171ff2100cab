// Goal: what a configuration says arrives in its place; several files become one; variables and secrets come
// from where they are named, and who may not use them cannot.
#include <chrono>
#include <string>
#include <vector>

#include "app/options.hpp"
#include "base/units.hpp"
#include "config/keys.hpp"
#include "support/catch.hpp"
#include "unit/config/machine.hpp"

namespace flowtally::config {
namespace {

using model::LogType;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Lines = std::vector<std::string>;

Loaded loaded_from(const std::string& text) {
  auto loaded = read_text(text);
  if (!loaded) FAIL(loaded.error().error().text());
  return std::move(*loaded);
}

Settings settings_from(const std::string& text) { return loaded_from(text).settings; }

template <class Receiver>
Receiver receiver_from(const std::string& keys) {
  const Settings settings = settings_from("sinks:\n  a: {" + keys + "}\n");
  REQUIRE(settings.sinks.size() == 1);
  return std::get<Receiver>(settings.sinks[0].receiver);
}

std::expected<Loaded, Refusal> read_files(const std::vector<std::string>& texts) {
  std::vector<SourceFile> files;
  files.reserve(texts.size());
  for (std::size_t at = 0; at < texts.size(); ++at)
    files.push_back({.name = std::string(1, static_cast<char>('a' + at)), .text = texts[at]});
  return read_settings(files, test_rules());
}

model::Headers headers_of(const std::vector<std::pair<std::string, std::string>>& texts) {
  model::Headers headers;
  headers.reserve(texts.size());
  for (const auto& [name, value] : texts) headers.emplace_back(name, model::Secret(value));
  return headers;
}

}  // namespace

TEST_CASE("an empty file says nothing", "[unit]") {
  for (const char* const text :
       {"", "\n", "# a comment\n", "---\n", "{}", "capture:\nsinks:\n", "sinks: {}"}) {
    INFO(text);
    CHECK(settings_from(text) == Settings{});
  }
}

TEST_CASE("every key of the agent arrives in its place", "[unit]") {
  const Settings settings = settings_from(R"(
capture:
  interface: tun0
  interval: 500ms
  max_flows: 64k
  attach: clsact
  exclude: false
  bpffs: /mnt/bpf
  underlay:
    enabled: true
    interfaces: [eth0, wlan0]
records:
  node_id: nLab01
  accounting: false
  log_exit_flows: true
  output: "-"
identity:
  file: /etc/flowtally/identity.yaml
journal:
  enabled: true
  state_dir: /srv/flowtally
  retain_size: 20G
  retain_age: 30d
  fsync: second
api:
  socket: /run/f.sock
  socket_group: ops
  admin_group: admins
  listen: 127.0.0.1:8473
  token_file: /etc/flowtally/token
)");
  CHECK(settings ==
        Settings{.capture = {.interface = "tun0",
                             .interval = milliseconds(500),
                             .flows_max = 65536,
                             .attach = Attach::kClsact,
                             .exclude = false,
                             .bpffs = "/mnt/bpf",
                             .underlay = true,
                             .underlay_interfaces = {{"eth0", "wlan0"}}},
                 .records = {.node_id = "nLab01", .accounting = false, .log_exit_flows = true, .output = "-"},
                 .identity = {.file = "/etc/flowtally/identity.yaml"},
                 .journal = {.enabled = true,
                             .state_dir = "/srv/flowtally",
                             .retain_bytes = std::uint64_t{20} << 30U,
                             .retain_age = std::chrono::hours(30 * 24),
                             .fsync = Sync::kSecond},
                 .api = {.socket = "/run/f.sock",
                         .socket_group = "ops",
                         .admin_group = "admins",
                         .listen = "127.0.0.1:8473",
                         .token_file = "/etc/flowtally/token"}});
}

TEST_CASE("what a sink has in common with others arrives in its place", "[unit]") {
  const Settings settings = settings_from(R"(
sinks:
  a:
    type: http
    enabled: false
    logs: [configuration, network]
    filter: port 443
    start: newest
    url: https://x.example/in?a=b
    format: ocsf
    compression: zstd
    batch: {items: 64k, bytes: 5M, age: 10s}
    retry: {first: 1s, longest: 5m, timeout: 10s}
    tls: {verify: false, ca_file: /etc/ca.pem, cert_file: /etc/c.pem, key_file: /etc/k.pem}
)");
  REQUIRE(settings.sinks.size() == 1);
  CHECK(settings.sinks[0] ==
        model::SinkSettings{
            .name = "a",
            .enabled = false,
            .logs = {LogType::kConfiguration, LogType::kNetwork},
            .filter = "port 443",
            .format = model::ItemFormat::kOcsf,
            .compression = model::Compression::kZstd,
            .start = model::StartAt::kNewest,
            .batch = {.items_max = 65536, .bytes_max = 5U << 20U, .age_max = seconds(10)},
            .retry = {.first = seconds(1), .longest = minutes(5), .request_timeout = seconds(10)},
            .tls = {.verify = false,
                    .ca_file = "/etc/ca.pem",
                    .cert_file = "/etc/c.pem",
                    .key_file = "/etc/k.pem"},
            .receiver = model::HttpSettings{.url = "https://x.example/in?a=b"}});
}

TEST_CASE("what each kind of sink has of its own arrives in its place", "[unit]") {
  const model::Secret token{std::string(kToken)};
  CHECK(receiver_from<model::SplunkSettings>(
            "type: splunk, url: 'https://h:8088', token: '${TOKEN}', user: u, index: i, source: s, "
            "sourcetype: t, host: n, acknowledge: true") == model::SplunkSettings{.url = "https://h:8088",
                                                                                  .token = token,
                                                                                  .user = "u",
                                                                                  .index = "i",
                                                                                  .source = "s",
                                                                                  .sourcetype = "t",
                                                                                  .host = "n",
                                                                                  .acknowledge = true});
  CHECK(receiver_from<model::ElasticSettings>(
            "type: elastic, url: 'http://[::1]:9200', user: u, password: '${TOKEN}', index: 'logs-{log}', "
            "ids: false, install_template: true") == model::ElasticSettings{.url = "http://[::1]:9200",
                                                                            .user = "u",
                                                                            .password = token,
                                                                            .index = "logs-{log}",
                                                                            .ids = false,
                                                                            .install_template = true});
  CHECK(
      receiver_from<model::ElasticSettings>("type: elastic, url: 'http://h', api_key: '${TOKEN}'").api_key ==
      token);
  CHECK(receiver_from<model::KafkaSettings>(
            "type: kafka, brokers: 'k1:9092,[::1]:9093', topic: 'f-{log}', security: sasl_ssl, mechanism: "
            "SCRAM-SHA-256, user: u, password: '${TOKEN}', client_id: c, properties: {linger.ms: 50}") ==
        model::KafkaSettings{.brokers = "k1:9092,[::1]:9093",
                             .topic = "f-{log}",
                             .security = "sasl_ssl",
                             .mechanism = "SCRAM-SHA-256",
                             .user = "u",
                             .password = token,
                             .client_id = "c",
                             .properties = {{"linger.ms", "50"}}});
  CHECK(receiver_from<model::OtlpSettings>(
            "type: otlp, url: 'http://h:4318', headers: {X-A: b}, counters_as_text: true") ==
        model::OtlpSettings{
            .url = "http://h:4318", .headers = headers_of({{"X-A", "b"}}), .counters_as_text = true});
  CHECK(
      receiver_from<model::LokiSettings>(
          "type: loki, url: 'http://h:3100', tenant: t, user: u, password: '${TOKEN}', labels: {job: f, env: "
          "'1'}, headers: {X-A: b}") == model::LokiSettings{.url = "http://h:3100",
                                                            .tenant = "t",
                                                            .user = "u",
                                                            .password = token,
                                                            .labels = {{"job", "f"}, {"env", "1"}},
                                                            .headers = headers_of({{"X-A", "b"}})});
  CHECK(receiver_from<model::S3Settings>(
            "type: s3, endpoint: 'https://h', bucket: bkt, region: r, prefix: 'p/{log}', access_key: k, "
            "secret_key: '${TOKEN}', session_token: '${TOKEN}', path_style: false, object_age: 1m, "
            "object_size: 8M") == model::S3Settings{.endpoint = "https://h",
                                                    .bucket = "bkt",
                                                    .region = "r",
                                                    .prefix = "p/{log}",
                                                    .access_key = "k",
                                                    .secret_key = token,
                                                    .session_token = token,
                                                    .path_style = false,
                                                    .object_age = minutes(1),
                                                    .object_bytes = 8U << 20U});
  CHECK(receiver_from<model::SyslogSettings>(
            "type: syslog, address: 'h:6514', tls: {enabled: true}, octet_counting: false, facility: daemon, "
            "app_name: a, host_name: n, message_size: 64K") ==
        model::SyslogSettings{.address = "h:6514",
                              .tls = true,
                              .octet_counting = false,
                              .facility = 3,
                              .app_name = "a",
                              .host_name = "n",
                              .message_bytes_max = 65536});
  CHECK(
      receiver_from<model::HttpSettings>(
          "type: http, url: 'https://h', profile: axiom, method: PUT, headers: {X-A: b}, bearer: '${TOKEN}', "
          "body: concatenated, content_type: text/plain, success: [200, 204]") ==
      model::HttpSettings{.url = "https://h",
                          .profile = "axiom",
                          .method = "PUT",
                          .headers = headers_of({{"X-A", "b"}}),
                          .bearer = token,
                          .body = model::HttpSettings::Body::kConcatenated,
                          .content_type = "text/plain",
                          .success = {200, 204}});
  CHECK(
      receiver_from<model::FileSettings>("type: file, path: /var/log/f, rotate_size: 1G, rotate_files: 0") ==
      model::FileSettings{.path = "/var/log/f", .rotate_bytes = 1U << 30U, .rotate_files = 0});
}

TEST_CASE("a sink of which the least is said has what is good for its kind", "[unit]") {
  const Settings settings = settings_from(
      "sinks:\n"
      "  b: {type: otlp, url: 'http://h:4318'}\n"
      "  a: {type: elastic, url: 'http://h:9200'}\n");
  REQUIRE(settings.sinks.size() == 2);
  CHECK(settings.sinks[0].name == "a");  // by name
  CHECK(settings.sinks[0].format == model::ItemFormat::kEcs);
  CHECK(settings.sinks[1].format == model::ItemFormat::kOtel);
  CHECK(settings.sinks[1].logs == std::vector{LogType::kNetwork});
}

TEST_CASE("the table's defaults are values of their keys, within the bounds of the command line", "[unit]") {
  for (const auto& key : settings_keys()) {
    INFO(key.info.path);
    CHECK((key.info.fallback.empty() || read_scalar(key.info, key.info.fallback)));
    CHECK_FALSE(key.info.about.empty());
    CHECK_FALSE(key.info.about.ends_with('.'));
  }
  const Settings settings = with_defaults({});
  CHECK(settings.capture.interface == "tailscale0");
  CHECK(settings.capture.interval == seconds(5));
  CHECK(settings.capture.flows_max == 131072U);
  CHECK(settings.journal.retain_bytes == std::uint64_t{4} << 30U);
  CHECK(settings.journal.state_dir == "/var/lib/flowtally");
  CHECK_FALSE(settings.records.node_id);
  for (const auto& key : settings_keys()) {
    if (key.info.path == "capture.interval") {
      CHECK(key.info.min == static_cast<std::uint64_t>(app::kIntervalMin.count()));
      CHECK(key.info.max == static_cast<std::uint64_t>(app::kIntervalMax.count()));
    }
    if (key.info.path == "capture.max_flows") {
      CHECK(key.info.min == app::kFlowsMaxMin);
      CHECK(key.info.max == app::kFlowsMaxMax);
    }
    if (key.info.path == "journal.retain_size") CHECK(key.info.min == app::kRetainedBytesMin);
  }
}

// ---- several files

TEST_CASE("maps of several files become one, and a file can add a sink", "[unit]") {
  const auto loaded = read_files({"capture: {interface: tun0}\nsinks:\n  a: {type: file, path: /tmp/a}\n",
                                  "capture: {interval: 1s}\n", "",
                                  "sinks:\n  a: {rotate_files: 2}\n  b: {type: file, path: /tmp/b}\n"});
  REQUIRE(loaded);
  CHECK(loaded->settings.capture == CaptureSettings{.interface = "tun0", .interval = seconds(1)});
  REQUIRE(loaded->settings.sinks.size() == 2);
  CHECK(std::get<model::FileSettings>(loaded->settings.sinks[0].receiver).rotate_files == 2);
  CHECK(loaded->origins.at("sinks.a.path").at == Place{.file = 0, .line = 3, .column = 19});
  CHECK(loaded->origins.at("sinks.a.rotate_files").at == Place{.file = 3, .line = 2, .column = 7});
}

TEST_CASE("a key that two files have is refused with both places", "[unit]") {
  const auto lines = [](const std::vector<std::string>& texts) {
    const auto loaded = read_files(texts);
    REQUIRE_FALSE(loaded);
    return loaded.error().lines;
  };
  CHECK(lines({"capture:\n  interface: tun0\n", "capture: {interface: tun0}\n"}) ==
        Lines{"b:1:22: capture.interface: is given already at a:2"});
  CHECK(lines({"sinks:\n  a: {type: file, path: /tmp/a}\n", "sinks: {a: {type: http}}\n"}) ==
        Lines{"b:1:19: sinks.a.type: is given already at a:2"});
  CHECK(lines({"capture: {underlay: {interfaces: [eth0]}}", "capture: {underlay: {interfaces: [eth1]}}"}) ==
        Lines{"b:1:34: capture.underlay.interfaces: is given already at a:1"});
  CHECK(lines({"capture: {interval: 1s}", "capture: 5s"}) ==
        Lines{"b:1:10: capture: is given already at a:1"});
}

TEST_CASE("the faults of all files are told, file by file", "[unit]") {
  const auto loaded = read_files({"capture: {x: 1}", "a: [", "journal: {y: 1}\nrecords: {z: 1}"});
  REQUIRE_FALSE(loaded);
  const Lines& lines = loaded.error().lines;
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].starts_with("a:1:11: capture.x: unknown key"));
  CHECK(lines[1].find(": no valid YAML: ") != std::string::npos);
  CHECK(lines[2].starts_with("c:1:11: journal.y: unknown key"));
  CHECK(lines[3].starts_with("c:2:11: records.z: unknown key"));
}

// ---- variables

TEST_CASE("variables are put into values, and what they hold is not looked into again", "[unit]") {
  struct Case {
    const char* written;
    std::string wanted;
  };
  for (const Case& each :
       {Case{"${TUN}", "tun7"}, Case{"x-${TUN}-${TUN}", "x-tun7-tun7"}, Case{"${NO_SUCH:-tun0}", "tun0"},
        Case{"${EMPTY:-tun0}", "tun0"}, Case{"${TUN:-tun0}", "tun7"}, Case{"$${TUN}", "${TUN}"},
        Case{"$$${TUN}", "$${TUN}"}, Case{"a$b$", "a$b$"}, Case{"${TRICK}", "${TOKEN}"},
        Case{"${YAML}", "{a: [b]}"}, Case{"${NO_SUCH:-a:-b}", "a:-b"}}) {
    INFO(each.written);
    const Settings settings =
        settings_from(std::string("sinks: {a: {type: splunk, url: 'http://h', token: '${TOKEN}', index: '") +
                      each.written + "'}}");
    CHECK(std::get<model::SplunkSettings>(settings.sinks.at(0).receiver).index == each.wanted);
  }
  CHECK(settings_from("capture: {interval: '${NO_SUCH:-2}s'}").capture.interval == seconds(2));
  CHECK(settings_from("capture: {underlay: {interfaces: ['${TUN}', eth0]}}").capture.underlay_interfaces ==
        std::vector<std::string>{"tun7", "eth0"});
}

TEST_CASE("a variable cannot bring what would not be allowed in the file", "[unit]") {
  CHECK_FALSE(read_text("capture: {interface: '${LINES}'}"));
  CHECK_FALSE(read_text("records: {node_id: '${EMPTY}'}"));
  CHECK_FALSE(read_text("'${TUN}': {interface: tun0}"));  // keys are as they are
}

TEST_CASE("where no environment is given variables are refused, but for their escape", "[unit]") {
  const auto refused = read_text("capture: {interface: '${TUN}'}", {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().lines ==
        Lines{"f:1:22: capture.interface: ${TUN}: variables are not put in here; write $${ for ${ as it is"});
  const auto taken = read_text("records: {node_id: '$${TUN}'}", {});
  REQUIRE(taken);
  CHECK(taken->settings.records.node_id == "${TUN}");
}

// ---- secrets

TEST_CASE("secrets come from files and variables, and say so", "[unit]") {
  const Loaded loaded = loaded_from(R"(
sinks:
  a: {type: splunk, url: "https://h", token_file: /secrets/token}
  b: {type: splunk, url: "https://h", token: "${TOKEN}"}
  c:
    type: http
    url: https://h
    headers: {X-Team: ops, Authorization: "Bearer ${TOKEN}"}
    header_files: {X-Key: /secrets/token}
)");
  const auto& sinks = loaded.settings.sinks;
  CHECK(std::get<model::SplunkSettings>(sinks.at(0).receiver).token.reveal() == kFileToken);
  CHECK(std::get<model::SplunkSettings>(sinks.at(1).receiver).token.reveal() == kToken);
  CHECK(std::get<model::HttpSettings>(sinks.at(2).receiver).headers ==
        headers_of({{"X-Team", "ops"},
                    {"Authorization", "Bearer " + std::string(kToken)},
                    {"X-Key", std::string(kFileToken)}}));
  CHECK(loaded.origins.at("sinks.a.token").via == "the file /secrets/token");
  CHECK(loaded.origins.at("sinks.b.token").via == "${TOKEN}");
}

TEST_CASE("what is sent over the API may have secrets in it, and cannot reach into the machine", "[unit]") {
  const Rules sent{.check_filter = test_filter, .literal_secrets = true};
  const auto sink = read_sink(
      "a",
      {.name = "stream", .text = R"({"type": "splunk", "url": "https://h", "token": "t", "index": "i"})"},
      sent);
  REQUIRE(sink);
  CHECK(sink->name == "a");
  CHECK(std::get<model::SplunkSettings>(sink->receiver).token.reveal() == "t");
  const auto lines = [&](const std::string& name, const std::string& text) {
    const auto refused = read_sink(name, {.name = "stream", .text = text}, sent);
    REQUIRE_FALSE(refused);
    return refused.error().lines;
  };
  CHECK(
      lines("a", "type: splunk\nurl: https://h\ntoken_file: /etc/shadow\n") ==
      Lines{
          "stream:3:13: token_file: files are not read for what comes from outside; give the value itself"});
  CHECK(
      lines("a", "type: http\nurl: https://h\nheader_files: {X-Key: /etc/shadow}\n") ==
      Lines{"stream:3:23: header_files.X-Key: files are not read for what comes from outside; give the value "
            "itself"});
  CHECK(lines("a", "type: splunk\nurl: https://h\ntoken: ${TOKEN}\n").size() == 1);
  CHECK(lines("a", "type: splunk\nurl: https://h\n") ==
        Lines{"stream:1:1: token or token_file is missing: Token of the collector"});
  CHECK(lines("no name", "type: file\npath: /tmp/a\n").size() == 1);
  CHECK(lines("api-network", "type: file\npath: /tmp/a\n").size() == 1);
  CHECK(lines("a", "").size() == 1);
  CHECK(lines("a", "[]").size() == 1);
}

// ---- times and sizes

TEST_CASE("times and sizes are read as they are written", "[unit]") {
  for (const std::uint64_t ms : {0ULL, 1ULL, 999ULL, 1000ULL, 90'000ULL, 3'600'000ULL, 86'400'000ULL,
                                 604'800'000ULL, 604'800'001ULL}) {
    const std::chrono::milliseconds time(ms);
    CHECK(base::parse_time(base::time_text(time)) == time);
  }
  for (const std::uint64_t size :
       {0ULL, 1ULL, 1000ULL, 1024ULL, 1536ULL, 1ULL << 20U, 1ULL << 50U, 1ULL << 62U})
    CHECK(base::parse_size(base::size_text(size)) == size);
  CHECK(base::time_text(milliseconds(1500)) == "1500ms");
  CHECK(base::size_text(std::uint64_t{3} << 29U) == "1536M");
  for (const char* const text : {"", "5", "s", "-5s", "+5s", "5 s", "1.5s", "99999999999999999999s", "5S",
                                 "9999999999999999w", "1152921504606846976ms"})
    CHECK_FALSE(base::parse_time(text));
  for (const char* const text : {"", "k", "-1", "1 k", "1.5G", "5B", "99999999T", "18446744073709551616"})
    CHECK_FALSE(base::parse_size(text));
}

}  // namespace flowtally::config
