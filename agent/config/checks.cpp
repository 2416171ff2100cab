#include "config/checks.hpp"

#include <algorithm>
#include <map>
#include <variant>

#include <fmt/format.h>

#include "base/units.hpp"
#include "config/keys.hpp"

namespace flowtally::config {
namespace {

/// The checks of one sink. Keys that were given and are wrong count as given: that was told already.
class SinkChecker {
 public:
  SinkChecker(const model::SinkSettings& sink, const std::string& path, const Origins& origins,
              Faults& faults)
      : sink_(sink), path_(path), origins_(origins), faults_(faults) {}

  void check() const {
    check_required();
    check_common();
    std::visit([this](const auto& receiver) { check_receiver(receiver); }, sink_.receiver);
  }

 private:
  [[nodiscard]] bool given(std::string_view key) const { return origins_.contains(joined(path_, key)); }

  void fault(std::string_view key, std::string_view what) const {
    const std::string path = joined(path_, key);
    faults_.add(place_of(origins_, path), path, what);
  }

  /// "token or token_file", of a secret.
  [[nodiscard]] std::string with_file(std::string_view path) const {
    for (const auto& key : sink_keys(sink_.receiver.index())) {
      if (key.info.path != path) continue;
      if (const std::string file = file_key_of(key.info); !file.empty())
        return fmt::format("{} or {}", path, file);
    }
    return std::string(path);
  }

  /// One without the other.
  void together(std::string_view key, std::string_view other) const {
    if (given(key) && !given(other)) fault(key, fmt::format("needs {}", with_file(other)));
  }
  void apart(std::string_view key, std::string_view other) const {
    if (given(key) && given(other)) fault(key, fmt::format("cannot be together with {}", other));
  }

  void check_required() const {
    for (const auto& key : sink_keys(sink_.receiver.index())) {
      if (!key.info.required || given(key.info.path)) continue;
      faults_.add(place_of(origins_, path_), path_,
                  fmt::format("{} is missing: {}", with_file(key.info.path), key.info.about));
    }
  }

  void check_common() const {
    if (sink_.logs.empty()) fault("logs", "names no log; write [network], [configuration] or both");
    const bool network = std::ranges::find(sink_.logs, model::LogType::kNetwork) != sink_.logs.end();
    if (given("filter") && !network) fault("filter", "is for network logs, which are not among logs");
    if (sink_.retry.first > sink_.retry.longest) {
      fault("retry.first",
            fmt::format("is longer than retry.longest, {}", base::time_text(sink_.retry.longest)));
    }
    together("tls.cert_file", "tls.key_file");
    together("tls.key_file", "tls.cert_file");
    together("user", sink_.receiver.index() == 0 ? "token" : "password");
  }

  void check_basic() const { together("password", "user"); }

  void check_receiver(const model::SplunkSettings&) const {}
  void check_receiver(const model::OtlpSettings&) const {}
  void check_receiver(const model::LokiSettings&) const { check_basic(); }
  void check_receiver(const model::ElasticSettings&) const {
    check_basic();
    apart("api_key", "user");
  }
  void check_receiver(const model::KafkaSettings& kafka) const {
    check_basic();
    const bool sasl = kafka.security.starts_with("sasl");
    if (given("mechanism") && !sasl) fault("mechanism", "needs security: sasl_plaintext or sasl_ssl");
    if (given("user") && !sasl) fault("user", "needs security: sasl_plaintext or sasl_ssl");
    if (!sasl) return;
    for (const std::string_view key : {"mechanism", "user", "password"}) {
      if (!given(key)) fault("security", fmt::format("{} needs {}", kafka.security, with_file(key)));
    }
  }
  void check_receiver(const model::S3Settings&) const {
    if (!given("endpoint") && !given("region")) {
      faults_.add(place_of(origins_, path_), path_,
                  "region is missing: without endpoint it is Amazon's store");
    }
  }
  void check_receiver(const model::SyslogSettings& syslog) const {
    if (syslog.tls) return;
    if (!sink_.tls.verify) fault("tls.verify", "needs tls.enabled: true");
    for (const std::string_view key : {"tls.ca_file", "tls.cert_file", "tls.key_file"}) {
      if (given(key)) fault(key, "needs tls.enabled: true");
    }
  }
  void check_receiver(const model::HttpSettings&) const {
    check_basic();
    apart("bearer", "user");
  }
  void check_receiver(const model::FileSettings& file) const {
    if (sink_.logs.size() > 1 && given("path") && file.path.find("{log}") == std::string::npos)
      fault("path", "has both logs in one file; write {log} into it");
  }

  const model::SinkSettings& sink_;
  const std::string& path_;
  const Origins& origins_;
  Faults& faults_;
};

void check_files_apart(const Settings& settings, const Origins& origins, Faults& faults) {
  std::map<std::string_view, std::string_view> paths;
  if (settings.records.output) paths.emplace(*settings.records.output, "records.output");
  for (const model::SinkSettings& sink : settings.sinks) {
    const auto* const file = std::get_if<model::FileSettings>(&sink.receiver);
    if (file == nullptr || file->path.empty()) continue;
    const auto [other, is_new] = paths.emplace(file->path, sink.name);
    if (is_new) continue;
    const std::string path = fmt::format("sinks.{}.path", sink.name);
    faults.add(place_of(origins, path), path, fmt::format("is the file of {} already", other->second));
  }
}

}  // namespace

Place place_of(const Origins& origins, std::string path) {
  while (true) {
    if (const auto found = origins.find(path); found != origins.end()) return found->second.at;
    const std::size_t dot = path.rfind('.');
    if (dot == std::string::npos) break;
    path.resize(dot);
  }
  const auto whole = origins.find("");
  return whole == origins.end() ? Place{} : whole->second.at;
}

void check_settings(const Settings& settings, const Origins& origins, Faults& faults) {
  const auto given = [&](std::string_view path) { return origins.contains(path); };
  const auto fault = [&](const char* path, std::string_view what) {
    faults.add(place_of(origins, path), path, what);
  };
  if (given("api.listen") && !given("api.token_file"))
    fault("api.listen", "needs token_file: whoever reaches the address would be answered");
  if (given("api.token_file") && !given("api.listen"))
    fault("api.token_file", "is for listen, which is not given");
  // The default is no wish: what `config print --effective` writes can be read again.
  const auto& socket = settings.identity.tailscaled_socket;
  if (settings.identity.file && socket && socket != with_defaults({}).identity.tailscaled_socket)
    fault("identity.file", "cannot be together with tailscaled_socket");
  if (given("capture.underlay.interfaces") && settings.capture.underlay == false)
    fault("capture.underlay.interfaces", "needs underlay.enabled");
  if (settings.journal.enabled == false && !settings.sinks.empty())
    fault("journal.enabled", "cannot be false while there are sinks: they are fed from the journal");
  check_files_apart(settings, origins, faults);
}

void check_sink(const model::SinkSettings& sink, const std::string& path, const Origins& origins,
                Faults& faults) {
  SinkChecker(sink, path, origins, faults).check();
}

}  // namespace flowtally::config
