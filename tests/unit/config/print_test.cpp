// Goal: what is printed can be read again and means the same, and no secret is in it unless asked for.
//
// Method: examples as people see them; then settings made at random from the table of keys, every key with
// texts that YAML has a meaning for.
#include "config/print.hpp"

#include <string>
#include <utility>
#include <vector>

#include <simdjson.h>

#include "config/kept_streams.hpp"
#include "support/catch.hpp"
#include "unit/config/machine.hpp"
#include "unit/config/random_settings.hpp"

namespace flowtally::config {
namespace {

constexpr const char* kMark = "s3cr3t";
constexpr std::uint64_t kSeeds = 200;

Rules kept_rules() { return {.check_filter = test_filter, .literal_secrets = true}; }

Settings read_again(const std::string& text) {
  INFO(text);
  auto loaded = read_text(text, kept_rules());
  if (!loaded) FAIL(loaded.error().error().text());
  return std::move(loaded->settings);
}

Loaded without_origins(Settings settings) { return {.settings = std::move(settings)}; }

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

bool is_json(const std::string& text) {
  simdjson::dom::parser parser;
  return parser.parse(text).error() == simdjson::SUCCESS;
}

}  // namespace

TEST_CASE("what was said is printed with its places, and secrets with where they come from", "[unit]") {
  const auto loaded = read_text(R"(
capture: {interval: 5000ms}
sinks:
  mysiem:
    type: splunk
    url: https://h:8088
    token: ${TOKEN}
    batch: {bytes: 1024K}
  web:
    type: http
    url: "${NO_SUCH:-https://h}"
    headers: {X-Key: "${TOKEN}"}
  box: {type: s3, bucket: box, region: r, access_key: k, secret_key_file: /secrets/token}
)");
  REQUIRE(loaded);
  CHECK(settings_yaml(*loaded, {}) == R"(capture:
  interval: 5s  # f:2
sinks:
  box:
    type: s3  # f:13
    bucket: box  # f:13
    region: r  # f:13
    access_key: k  # f:13
    secret_key: "***"  # f:13, from the file /secrets/token
  mysiem:
    type: splunk  # f:5
    url: "https://h:8088"  # f:6
    token: "***"  # f:7, from ${TOKEN}
    batch:
      bytes: 1M  # f:8
  web:
    type: http  # f:10
    url: "https://h"  # f:11
    headers: {"X-Key": "***"}  # f:12
)");
}

TEST_CASE("nothing is printed of nothing, and all defaults of it where they are asked for", "[unit]") {
  const auto loaded = read_text("");
  REQUIRE(loaded);
  CHECK(settings_yaml(*loaded, {}).empty());
  const std::string all = settings_yaml(*loaded, {.effective = true});
  CHECK(all.find("  interval: 5s\n") != std::string::npos);
  CHECK(all.find("  # retain_age: not set\n") != std::string::npos);
  CHECK(all.ends_with("sinks: {}\n"));
  CHECK(read_again(all) == with_defaults({}));
}

TEST_CASE("what is printed is read as what it was", "[unit]") {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    INFO("seed " << seed);
    const Settings settings = RandomSettings(seed, kMark).settings();
    const Loaded loaded = without_origins(settings);
    CHECK(read_again(settings_yaml(loaded, {.secrets = SecretsShown::kYes})) == settings);
    const std::string effective = settings_yaml(loaded, {.effective = true, .secrets = SecretsShown::kYes});
    CHECK(read_again(effective) == with_defaults(settings));
    CHECK(settings_json(with_defaults(settings)) == settings_json(settings));
  }
}

TEST_CASE("a sink is read again as it was, alone and in a file with others", "[unit]") {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    RandomSettings random(seed, kMark);
    std::vector<model::SinkSettings> sinks;
    for (std::size_t kind = 0; kind < kKinds; ++kind) {
      INFO("seed " << seed << " kind " << kind);
      sinks.push_back(random.sink(kind, "s" + std::to_string(kind)));
      const std::string text = sink_yaml(sinks.back(), SecretsShown::kYes);
      INFO(text);
      const auto again = read_sink(sinks.back().name, {.name = "f", .text = text}, kept_rules());
      if (!again) FAIL(again.error().error().text());
      CHECK(*again == sinks.back());
    }
    CHECK(read_again(sinks_yaml(sinks, SecretsShown::kYes)).sinks == sinks);
  }
}

TEST_CASE("a secret is in no text that is for people", "[unit]") {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    INFO("seed " << seed);
    const Settings settings = RandomSettings(seed, kMark).settings();
    const Loaded loaded = without_origins(settings);
    const std::string shown = settings_yaml(loaded, {.secrets = SecretsShown::kYes});
    const std::size_t secrets = count_of(shown, kMark);
    CHECK(secrets > 0);
    std::vector<std::string> texts = {settings_yaml(loaded, {}), settings_yaml(loaded, {.effective = true}),
                                      settings_json(settings), sinks_yaml(settings.sinks, SecretsShown::kNo)};
    for (const model::SinkSettings& sink : settings.sinks) {
      texts.push_back(sink_yaml(sink, SecretsShown::kNo));
      texts.push_back(sink_json(sink));
    }
    for (const std::string& text : texts) CHECK(text.find(kMark) == std::string::npos);
    CHECK(count_of(texts[0], kMask) == secrets);
    CHECK(count_of(texts[2], kMask) == secrets);
  }
}

TEST_CASE("a text with a secret in it that is refused does not show it", "[unit]") {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    INFO("seed " << seed);
    const Settings settings = RandomSettings(seed, kMark).settings();
    const auto refused = read_text(settings_yaml(without_origins(settings), {.secrets = SecretsShown::kYes}));
    REQUIRE_FALSE(refused);  // literal secrets in the administrator's file
    for (const std::string& line : refused.error().lines) {
      INFO(line);
      CHECK(line.find(kMark) == std::string::npos);
    }
  }
}

TEST_CASE("the JSON is one, has everything with its default, and is the same for the same", "[unit]") {
  const std::string nothing = settings_json({});
  CHECK(is_json(nothing));
  CHECK(nothing.starts_with(R"({"capture":{"interface":"tailscale0","interval":"5s","max_flows":131072,)"));
  CHECK(nothing.ends_with(R"("sinks":{}})"));
  const auto written_so = read_text("capture: {interval: 5s, max_flows: 128k}");
  const auto or_so = read_text("capture:\n  max_flows: 131072\n  interval: 5000ms\n");
  REQUIRE((written_so && or_so));
  CHECK(settings_json(written_so->settings) == settings_json(or_so->settings));
  CHECK(settings_json(written_so->settings) == nothing);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Settings settings = RandomSettings(seed, kMark).settings();
    CHECK(is_json(settings_json(settings)));
    for (const model::SinkSettings& sink : settings.sinks) CHECK(is_json(sink_json(sink)));
  }
  const auto sink = read_sink("a", {.name = "f", .text = "{type: file, path: /tmp/a}"}, kept_rules());
  REQUIRE(sink);
  CHECK(sink_json(*sink) ==
        R"({"name":"a","type":"file","enabled":true,"logs":["network"],"filter":null,"start":"oldest",)"
        R"("path":"/tmp/a","rotate_size":"256M","rotate_files":8,"format":"record",)"
        R"("batch":{"items":null,"bytes":null,"age":"200ms"},)"
        R"("retry":{"first":"500ms","longest":"1m","timeout":"30s"}})");
}

}  // namespace flowtally::config
