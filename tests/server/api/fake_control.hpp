// This file is a Control for tests: it keeps what it is given, and notes what was refused.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "api/control.hpp"

namespace flowtally::test {

class FakeControl final : public api::Control {
 public:
  [[nodiscard]] bool may_change(const api::Caller& caller) const override { return caller.uid == 0; }
  void refused(const api::Caller& caller, std::string_view what) override {
    refusals.emplace_back(caller.uid, what);
  }

  [[nodiscard]] std::optional<api::LogStream> stream(api::LogType type) override {
    const auto found = streams.find(type);
    if (found == streams.end()) return std::nullopt;
    return found->second;
  }
  [[nodiscard]] base::Status put_stream(api::LogType type, api::LogStream stream,
                                        const api::Caller&) override {
    if (failure) return base::fail(*failure);
    streams.insert_or_assign(type, std::move(stream));
    return {};
  }
  [[nodiscard]] base::Status delete_stream(api::LogType type, const api::Caller&) override {
    streams.erase(type);
    return {};
  }

  [[nodiscard]] std::vector<model::SinkStatus> sinks() override { return statuses; }
  [[nodiscard]] base::Status put_sink(const std::string& name, std::string_view text,
                                      const api::Caller&) override {
    if (failure) return base::fail(*failure);
    named.insert_or_assign(name, std::string(text));
    return {};
  }
  [[nodiscard]] base::Status delete_sink(const std::string& name, const api::Caller&) override {
    if (named.erase(name) > 0) return {};
    return base::fail(base::Error(base::ErrorCode::kNotFound, "there is no stream " + name));
  }
  [[nodiscard]] base::Result<std::string> test_sink(const std::string& name, const api::Caller&) override {
    return name + " took it";
  }
  [[nodiscard]] base::Result<api::Replayed> replay(const std::string&, const api::Caller&) override {
    return api::Replayed{.delivered = 3, .refused = 1};
  }
  [[nodiscard]] base::Status reload(const api::Caller&) override {
    ++reloads;
    return {};
  }
  [[nodiscard]] std::string configuration() override { return "{}"; }

  std::map<api::LogType, api::LogStream> streams;
  std::map<std::string, std::string> named;
  std::vector<model::SinkStatus> statuses;
  std::vector<std::pair<uid_t, std::string>> refusals;
  std::optional<base::Error> failure{};
  int reloads = 0;
};

}  // namespace flowtally::test
