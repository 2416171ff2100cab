// Goal: the built program asks as a user would have it: what it prints, and the code it ends with.
#include <csignal>

#include "server/cli/cli_rig.hpp"
#include "support/process.hpp"
#include "support/wait_until.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;

struct Ended {
  int code = -1;
  std::string out{};
  std::string err{};
};

Ended run_program(const std::vector<std::string>& arguments) {
  Program program(arguments, {"TZ=UTC"});
  const int code = program.wait();
  return {.code = code, .out = program.out(), .err = program.err()};
}

}  // namespace

TEST_CASE("each command answers with 0", "[server]") {
  const Agent agent;
  CHECK(run_program({"status", "--socket", agent.socket}).code == 0);
  CHECK(run_program({"status", "--socket", agent.socket, "--healthy"}).out == "ok\n");
  CHECK(run_program({"status", "--socket", agent.socket, "--ready"}).code == 0);
  CHECK(run_program({"peers", "--socket", agent.socket, "--json"}).code == 0);
  const Ended rows = run_program(
      {"query", "--socket", agent.socket, "--limit", "1", "--output", "csv", "tcp", "and", "port", "443"});
  CHECK(rows.code == 0);
  CHECK_THAT(rows.out,
             ContainsSubstring("2026-11-23T00:00:00Z,2026-11-23T00:00:05Z,nLab01CNTRL,virtual,tcp,"));
  const Ended sums =
      run_program({"query", "--socket", agent.socket, "--group-by", "proto", "--sort", "-bytes"});
  CHECK(sums.code == 0);
  CHECK_THAT(sums.out, StartsWith("PROTO  FLOWS"));
}

TEST_CASE("a journal is read without an agent", "[server]") {
  Agent agent;
  agent.end();
  const Ended rows = run_program({"query", "--state-dir", agent.folder.path.string(), "--json"});
  CHECK(rows.code == 0);
  CHECK_THAT(rows.out, ContainsSubstring("\"rows\":10,"));
  const Ended none = run_program({"query", "--state-dir", "/nowhere"});
  CHECK(none.code == 1);
  CHECK_THAT(none.err, ContainsSubstring("/nowhere/network"));
}

TEST_CASE("a question that cannot be asked ends with 2, one that nobody answers with 5", "[server]") {
  const Ended wrong = run_program({"query", "--output", "yaml"});
  CHECK(wrong.code == 2);
  CHECK_THAT(wrong.err, ContainsSubstring("table, json, ndjson or csv"));
  CHECK(run_program({"query", "prto tcp"}).code == 2);
  CHECK(run_program({"status", "--healthy", "--ready"}).code == 2);
  CHECK(run_program({"query", "--json", "--output", "csv"}).code == 2);
  CHECK(run_program({"query", "--since", "1h", "--start", "today"}).code == 2);
  for (const char* const command : {"status", "query", "tail", "peers"}) {
    INFO(command);
    const Ended ended = run_program({command, "--socket", "/nowhere/s.sock"});
    CHECK(ended.code == 5);
    CHECK_THAT(ended.err, ContainsSubstring("flowtally run"));
    CHECK(ended.out.empty());
  }
}

TEST_CASE("Ctrl-C ends a tail with 130", "[server]") {
  Agent agent;
  Program tail({"tail", "--socket", agent.socket, "--json"});
  wait_until([&] {
    agent.source.append(1, 1);
    return tail.unread_out() > 0;
  });
  tail.wait_for_output("\"proto\":\"tcp\"");
  tail.signal(SIGINT);
  CHECK(tail.wait() == 130);
}

TEST_CASE("Ctrl-C ends a query whose rows nobody takes with 130", "[server]") {
  Agent agent(400, 200);
  Program query({"query", "--socket", agent.socket, "--output", "ndjson"});
  // The pipe is full, and the program waits in the middle of its answer.
  wait_until([&] { return query.out_is_full(); });
  query.signal(SIGINT);
  CHECK(query.wait() == 130);
}

}  // namespace flowtally::test
