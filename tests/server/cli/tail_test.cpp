// Goal: a tail shows each record once, whatever becomes of the agent meanwhile, and says what did.
#include "record/text.hpp"
#include "server/cli/cli_rig.hpp"
#include "support/wait_until.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using cli::Outcome;

/// A tail on a thread of its own. Ended by its destructor.
class Tail {
 public:
  Tail(const Agent& agent, const std::string& filter, bool json = true)
      : thread_([this, options = cli::TailOptions{.socket = agent.socket, .filter = filter, .json = json}] {
          outcome_ = cli::follow(options, terminal_.console);
        }) {}
  Tail(const Tail&) = delete;
  Tail& operator=(const Tail&) = delete;
  ~Tail() {
    if (thread_.joinable()) static_cast<void>(end());
  }

  void wait_for(const std::string& printed) const {
    wait_until([&] { return terminal_.printed().find(printed) != std::string::npos; });
  }
  void wait_until_said(const std::string& said) const {
    wait_until([&] { return terminal_.said().find(said) != std::string::npos; });
  }
  Outcome end() {
    terminal_.press_stop();
    thread_.join();
    return outcome_;
  }
  [[nodiscard]] std::string printed() const { return terminal_.printed(); }
  [[nodiscard]] std::string said() const { return terminal_.said(); }

 private:
  Terminal terminal_;
  Outcome outcome_ = Outcome::kDone;
  std::jthread thread_;
};

/// The end of the window of record `number`, counted from 0, as its line has it.
std::string end_of(std::uint64_t number) {
  const std::int64_t end_ns = kFirstEndNs + static_cast<std::int64_t>(number) * kWindowNs;
  return "\"end\":\"" + record::time_text(end_ns) + "\"";
}

std::size_t times(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

/// Appends a record at a time until one of them is seen: then the tail is there.
void wait_until_followed(Agent& agent, const Tail& tail) {
  wait_until([&] {
    agent.source.append(1, 1);
    return !tail.printed().empty();
  });
}

}  // namespace

TEST_CASE("a tail shows each connection that matches, as it is recorded", "[server]") {
  Agent agent(3, 1);
  Tail tail(agent, "tcp and port 443");
  wait_until_followed(agent, tail);
  const std::uint64_t before = agent.source.records();
  agent.source.append(2, 3);
  tail.wait_for(end_of(before + 1));
  CHECK(tail.end() == Outcome::kStopped);
  for (std::uint64_t record = before; record < before + 2; ++record)
    CHECK(times(tail.printed(), end_of(record)) == 3);
  CHECK(times(tail.printed(), end_of(0)) == 0);  // was there before
  CHECK(tail.said().empty());
}

TEST_CASE("what does not match is not shown", "[server]") {
  Agent agent(3, 1);
  Tail all(agent, "");
  Tail none(agent, "udp");
  wait_until_followed(agent, all);
  CHECK(none.end() == Outcome::kStopped);
  CHECK(none.printed().empty());
}

TEST_CASE("a tail for people has its titles and a line for each connection", "[server]") {
  Agent agent(3, 1);
  Tail tail(agent, "", false);
  wait_until_followed(agent, tail);
  CHECK(tail.end() == Outcome::kStopped);
  CHECK_THAT(tail.printed(), Catch::Matchers::StartsWith("START                CLASS     PROTO     SRC "));
  CHECK_THAT(tail.printed(), ContainsSubstring("  virtual   tcp       100.64.0.1:"));
}

TEST_CASE("a tail goes on behind its last record when the agent comes back, and says so", "[server]") {
  Agent agent(3, 1);
  Tail tail(agent, "");
  wait_until_followed(agent, tail);
  agent.end();
  tail.wait_until_said("the agent has gone");
  const std::uint64_t before = agent.source.records();
  agent.source.append(2, 1);  // while nobody was there
  agent.start();
  tail.wait_until_said("the agent is back");
  agent.source.append(1, 1);
  tail.wait_for(end_of(before + 2));
  CHECK(tail.end() == Outcome::kStopped);
  for (std::uint64_t record = before; record < before + 3; ++record)
    CHECK(times(tail.printed(), end_of(record)) == 1);
}

}  // namespace flowtally::test
