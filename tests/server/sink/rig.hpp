// This file is what tests of streams share: a journal with records that can be told apart, a bulk API that
// keeps what it is sent, and a stream between them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <simdjson.h>

#include "journal/journal.hpp"
#include "query/terms.hpp"
#include "record/text.hpp"
#include "sink/stream.hpp"
#include "support/agent_calls.hpp"
#include "support/catch.hpp"
#include "support/http_receiver.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"

namespace flowtally::test {

constexpr std::int64_t kFirstStart = 1'763'856'000'000'000'000;

/// Record `number` has two connections; the ports tell which it is.
[[nodiscard]] inline std::string numbered_line(std::uint64_t number) {
  const std::int64_t start = kFirstStart + static_cast<std::int64_t>(number) * 1'000'000'000;
  return fmt::format(
      R"({{"logged":"{1}","nodeId":"nA","start":"{0}","end":"{1}","virtualTraffic":[{{"proto":6,)"
      R"("src":"100.64.0.1:80","dst":"100.64.0.2:{2}","txPkts":1,"txBytes":40}},{{"proto":17,)"
      R"("src":"100.64.0.1:53","dst":"100.64.0.3:{2}","rxPkts":1,"rxBytes":60}}],"accounting":{{)"
      R"("bootId":"39e55918-fe3e-4ef6-bfc9-ec05c6aa69da","epoch":{3},"part":1,"parts":1,)"
      R"("totals":{{"txPkts":1,)"
      R"("txBytes":40,"rxPkts":1,"rxBytes":60}}}}}})"
      "\n",
      record::time_text(start), record::time_text(start + 1'000'000'000), number % 65536, number);
}

class Written {
 public:
  explicit Written(std::uint64_t segment_bytes = std::uint64_t{64} << 20U,
                   std::uint64_t retained = std::uint64_t{4} << 30U) {
    auto opened = journal::Journal::open({.directory = directory(),
                                          .sync = journal::SyncPolicy::kNever,
                                          .segment_bytes_max = segment_bytes,
                                          .retained_bytes_max = retained,
                                          .seal = {.terms_of = query::terms_of},
                                          .describe = query::describe});
    REQUIRE(opened);
    journal_ = std::make_unique<journal::Journal>(std::move(*opened));
  }
  void append(std::uint64_t records) {
    for (std::uint64_t at = 0; at < records; ++at, ++next_) {
      const std::string line = numbered_line(next_);
      const std::int64_t start = kFirstStart + static_cast<std::int64_t>(next_) * 1'000'000'000;
      const std::vector<journal::Entry> batch{
          {.line = line, .start_ns = start, .end_ns = start + 1'000'000'000}};
      REQUIRE(journal_->append(batch));
    }
  }
  [[nodiscard]] journal::Journal& journal() noexcept { return *journal_; }
  [[nodiscard]] std::uint64_t records() const noexcept { return next_; }
  [[nodiscard]] std::string directory() const { return (folder_.path / "network").string(); }
  [[nodiscard]] std::string state_dir() const { return folder_.path.string(); }

 private:
  TempDir folder_;
  std::unique_ptr<journal::Journal> journal_;
  std::uint64_t next_ = 0;
};

/// A bulk API that stores documents by their ids, as Elasticsearch's data streams do.
class BulkStore {
 public:
  /// The answer to one request; `refuse` says by a document's text whether it is refused for good, `later`
  /// whether it is not taken now.
  HttpSaid take(const HttpHeard& heard) {
    const std::scoped_lock lock(mutex_);
    if (heard.method == "GET") return {.body = R"({"version":{"number":"8.11.0"}})"};
    std::string items;
    for (std::size_t at = 0; at < heard.body.size();) {
      const std::size_t action_end = heard.body.find('\n', at);
      const std::size_t end = heard.body.find('\n', action_end + 1);
      if (end == std::string::npos) return {.status = 400, .body = "{\"error\":\"no line end\"}"};
      const std::string action = heard.body.substr(at, action_end - at);
      const std::string document = heard.body.substr(action_end + 1, end - action_end - 1);
      at = end + 1;
      simdjson::dom::parser parser;
      std::string_view id;
      const bool sound = parser.parse(action)["create"]["_id"].get(id) == simdjson::SUCCESS;
      int status = 400;
      if (sound && later && later(document)) {
        status = 429;
      } else if (sound && !(refuse && refuse(document))) {
        status = stored_.emplace(std::string(id), document).second ? 201 : 409;
        repeated += status == 409 ? 1 : 0;
      }
      if (!items.empty()) items += ',';
      items += fmt::format(R"({{"create":{{"status":{}{}}}}})", status,
                           status == 400 ? R"(,"error":{"type":"t","reason":"refused"})" : "");
    }
    return {.body = "{\"took\":1,\"errors\":false,\"items\":[" + items + "]}"};
  }
  [[nodiscard]] std::size_t size() {
    const std::scoped_lock lock(mutex_);
    return stored_.size();
  }
  [[nodiscard]] std::map<std::string, std::string> stored() {
    const std::scoped_lock lock(mutex_);
    return stored_;
  }

  std::function<bool(const std::string&)> refuse{};
  std::function<bool(const std::string&)> later{};
  std::uint64_t repeated = 0;

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> stored_{};
};

/// Settings with pauses that a test can wait for.
[[nodiscard]] inline model::SinkSettings quick(model::ReceiverSettings receiver,
                                               const std::string& name = "s") {
  return {.name = name,
          .format = model::ItemFormat::kFlattened,
          .batch = {.items_max = 50, .age_max = std::chrono::milliseconds(5)},
          .retry = {.first = std::chrono::milliseconds(1),
                    .longest = std::chrono::milliseconds(20),
                    .request_timeout = std::chrono::milliseconds(500)},
          .receiver = std::move(receiver)};
}

/// With the system calls that the agent's streams may make.
[[nodiscard]] inline std::unique_ptr<sink::Stream> stream_of(const Written& written,
                                                             const model::SinkSettings& settings) {
  auto stream = with_agent_calls([&]() -> base::Result<std::unique_ptr<sink::Stream>> {
    auto receiver = sink::make_receiver(settings, model::LogType::kNetwork);
    if (!receiver) return base::fail(std::move(receiver.error()));
    return sink::Stream::start(
        {.settings = settings, .journal_directory = written.directory(), .state_dir = written.state_dir()},
        std::move(*receiver));
  });
  if (!stream) FAIL(stream.error().text());
  return std::move(*stream);
}

/// Each connection of each record is there once.
inline void check_all_there(BulkStore& store, std::uint64_t records) {
  std::map<std::string, int> seen;
  for (const auto& [id, document] : store.stored()) {
    simdjson::dom::parser parser;
    simdjson::dom::element element;
    REQUIRE(parser.parse(document).get(element) == simdjson::SUCCESS);
    std::string_view start;
    std::uint64_t proto = 0;
    if (element["event"].error() == simdjson::SUCCESS) continue;  // of a gap
    REQUIRE(element["start"].get(start) == simdjson::SUCCESS);
    REQUIRE(element["proto"].get(proto) == simdjson::SUCCESS);
    ++seen[fmt::format("{} {}", start, proto)];
  }
  CHECK(seen.size() == records * 2);
  for (const auto& [what, count] : seen) {
    INFO(what);
    CHECK(count == 1);
  }
}

}  // namespace flowtally::test
