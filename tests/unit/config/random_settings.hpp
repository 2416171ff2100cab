// This file makes settings at random by the table of keys: every key with every sort of value, and yet
// settings that a file may have.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "config/keys.hpp"

namespace flowtally::config {

class RandomSettings {
 public:
  /// Every secret begins with `mark`.
  RandomSettings(std::uint64_t seed, std::string mark) : random_(seed), mark_(std::move(mark)) {}

  model::SinkSettings sink(std::size_t kind, std::string name) {
    model::SinkSettings sink = default_sink(kind);
    sink.name = std::move(name);
    for (const auto& key : sink_keys(kind)) {
      if (key.info.required || often()) key.set(sink, key.info, value(key.info));
    }
    make_possible(kind, sink);
    return sink;
  }

  Settings settings() {
    Settings settings;
    for (const auto& key : settings_keys()) {
      if (often()) key.set(settings, key.info, value(key.info));
    }
    settings.identity.tailscaled_socket.reset();
    settings.journal.enabled.reset();
    settings.capture.underlay.reset();
    if (!settings.api.listen || !settings.api.token_file) {
      settings.api.listen.reset();
      settings.api.token_file.reset();
    }
    for (std::size_t kind = 0; kind < kKinds; ++kind)
      settings.sinks.push_back(sink(kind, "s" + std::to_string(kind)));
    return settings;
  }

 private:
  bool often() { return random_() % 3 != 0; }

  std::uint64_t number(const KeyInfo& key) {
    const std::uint64_t least = key.min;
    const std::uint64_t most = std::min(key.max, std::uint64_t{1} << 44U);
    switch (random_() % 4) {
      case 0: return least;
      case 1: return most;
      case 2: return std::clamp(std::uint64_t{1} << (random_() % 44), least, most);
      default: return least + random_() % (most - least + 1);
    }
  }

  std::string text() {
    static const std::vector<std::string> kTexts = {
        "plain", "with space", " lead",  "trail ",  "a: b",   "# no comment", "a #b", "${TOKEN}", "$${x}",
        "$",     "q\"uo\\te",  "'s'",    "null",    "~",      "true",         "0x10", "ünïcöde",  "{log}",
        "[x]",   "- dash",     "!tag",   "&anchor", "*alias", "%dir",         "@at",  "`tick`",   "a,b",
        "?",     "| fold",     "> fold", "---",     "日本語"};
    return kTexts[random_() % kTexts.size()];
  }

  Texts some_of(std::span<const std::string_view> words) {
    Texts list;
    for (const std::string_view word : words) {
      if (often()) list.emplace_back(word);
    }
    if (list.empty()) list.emplace_back(words[0]);
    return list;
  }

  Value value(const KeyInfo& key) {
    const auto any = [this](std::span<const std::string_view> words) {
      return std::string(words[random_() % words.size()]);
    };
    static constexpr std::array<std::string_view, 3> kPaths = {"/var/lib/x", "/a b/c: d", "/t/{log}/${X}"};
    static constexpr std::array<std::string_view, 3> kUrls = {"https://h.example:8088/a?b=${c}",
                                                              "http://[::1]:80", "https://h"};
    static constexpr std::array<std::string_view, 3> kEnds = {"h:1", "[::1]:65535", "127.0.0.1:8473"};
    static constexpr std::array<std::string_view, 3> kDevices = {"eth0", "${x}", "wg-1"};
    static constexpr std::array<std::string_view, 3> kStatuses = {"200", "202", "599"};
    switch (key.type) {
      case ValueType::kFlag: return random_() % 2 == 0;
      case ValueType::kNumber:
      case ValueType::kSize:
      case ValueType::kTime: return number(key);
      case ValueType::kWord: return any(key.words);
      case ValueType::kPath: return any(kPaths);
      case ValueType::kOutput: return random_() % 2 == 0 ? std::string("-") : any(kPaths);
      case ValueType::kUrl: return any(kUrls);
      case ValueType::kEndpoint: return any(kEnds);
      case ValueType::kEndpoints: return any(kEnds) + "," + any(kEnds);
      case ValueType::kInterface: return any(kDevices);
      case ValueType::kNodeId: return std::string("n${Lab}01");
      case ValueType::kTopic: return std::string("flows.{log}_1-");
      case ValueType::kBucket: return std::string("flow-logs.1");
      case ValueType::kSecret: return model::Secret(mark_ + text());
      case ValueType::kWords: return some_of(key.words);
      case ValueType::kInterfaces: return some_of(kDevices);
      case ValueType::kStatuses: return some_of(kStatuses);
      case ValueType::kLabels: return TextPairs{{"job", text()}, {"_e2", text()}};
      case ValueType::kProperties: return TextPairs{{"linger.ms", "5"}, {"client.rack", text()}};
      case ValueType::kHeaders:
        return model::Headers{{"Authorization", model::Secret(mark_ + text())},
                              {"X-A", model::Secret(mark_ + text())}};
      default: return text();
    }
  }

  /// What excludes each other, or needs each other.
  static void make_possible(std::size_t kind, model::SinkSettings& sink) {
    if (sink.filter.find("wrong") != std::string::npos) sink.filter.clear();
    sink.logs = {model::LogType::kNetwork};
    if (sink.retry.first > sink.retry.longest) std::swap(sink.retry.first, sink.retry.longest);
    if (sink.tls.cert_file.empty() != sink.tls.key_file.empty())
      sink.tls.cert_file = sink.tls.key_file = std::string();
    const auto pair = [](std::string& user, model::Secret& secret) {
      if (user.empty() == secret.empty()) return;
      user.clear();
      secret = {};
    };
    if (auto* const elastic = std::get_if<model::ElasticSettings>(&sink.receiver)) {
      pair(elastic->user, elastic->password);
      if (!elastic->user.empty()) elastic->api_key = {};
    }
    if (auto* const loki = std::get_if<model::LokiSettings>(&sink.receiver)) pair(loki->user, loki->password);
    if (auto* const http = std::get_if<model::HttpSettings>(&sink.receiver)) {
      pair(http->user, http->password);
      if (!http->user.empty()) http->bearer = {};
    }
    if (auto* const kafka = std::get_if<model::KafkaSettings>(&sink.receiver)) {
      const bool whole = !kafka->mechanism.empty() && !kafka->user.empty() && !kafka->password.empty();
      kafka->security = whole ? "sasl_ssl" : "ssl";
      if (!whole) {
        kafka->mechanism.clear();
        kafka->user.clear();
        kafka->password = {};
      }
    }
    if (auto* const s3 = std::get_if<model::S3Settings>(&sink.receiver)) {
      if (s3->region.empty()) s3->region = "r";
    }
    if (auto* const syslog = std::get_if<model::SyslogSettings>(&sink.receiver)) syslog->tls = true;
    if (auto* const file = std::get_if<model::FileSettings>(&sink.receiver))
      file->path = "/var/log/" + std::to_string(kind);
  }

  std::mt19937_64 random_;
  std::string mark_;
};

}  // namespace flowtally::config
