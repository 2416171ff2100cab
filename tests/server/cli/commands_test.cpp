// Goal: each command gives what the agent has, and says in a sentence what to do where it cannot. Method: the
// real API over a real journal, in this process; the commands write into files.
#include <algorithm>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "server/cli/cli_rig.hpp"
#include "support/wait_until.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using cli::Outcome;

cli::QueryOptions question(const Agent& agent, std::string filter, cli::Format format = cli::Format::kTable) {
  cli::QueryOptions options{.socket = agent.socket, .format = format};
  options.text.filter = std::move(filter);
  return options;
}

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

std::string answer(const std::string& status, const std::string& body) {
  return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body);
}

/// A socket on which somebody listens who has an answer for each who comes.
class Stranger {
 public:
  Stranger(const std::string& path, std::vector<std::string> answers)
      : answers_(std::move(answers)), fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::ranges::copy(path, address.sun_path);
    REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
    REQUIRE(::listen(fd_.get(), 4) == 0);
    thread_ = std::jthread([this] {
      for (const std::string& text : answers_) {
        const base::UniqueFd client(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        std::array<char, 4096> request{};
        static_cast<void>(::read(client.get(), request.data(), request.size()));
        static_cast<void>(::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL));
      }
    });
  }

 private:
  std::vector<std::string> answers_;
  base::UniqueFd fd_;
  std::jthread thread_;
};

}  // namespace

TEST_CASE("status is a page, and the agent's own JSON where that is asked for", "[server]") {
  const Agent agent;
  Terminal page;
  CHECK(cli::show_status({.socket = agent.socket}, page.console) == Outcome::kDone);
  CHECK_THAT(page.printed(), StartsWith("flowtally       0.test, node nLab01CNTRL\n"));
  CHECK_THAT(page.printed(), ContainsSubstring("tailscale0      counted by TCX\n"));
  CHECK_THAT(page.printed(), ContainsSubstring("5 records in 1 segment"));
  CHECK(page.said().empty());

  Terminal json;
  CHECK(cli::show_status({.socket = agent.socket, .json = true}, json.console) == Outcome::kDone);
  CHECK_THAT(json.printed(), StartsWith("{\"version\":\"0.test\""));
}

TEST_CASE("a probe succeeds with a healthy agent and a ready one, and fails in the agent's words",
          "[server]") {
  using What = cli::StatusOptions::What;
  struct Case {
    What what;
    std::string answer;
    Outcome outcome;
    std::string said;
  };
  const auto row =
      GENERATE(Case{What::kHealthy, answer("200 OK", "{\"message\":\"ok\"}"), Outcome::kDone, ""},
               Case{What::kReady, answer("200 OK", "{\"message\":\"ready\"}"), Outcome::kDone, ""},
               Case{What::kHealthy, answer("503 No", "{\"message\":\"nothing was drained for 60 s\"}"),
                    Outcome::kFailed, "nothing was drained for 60 s\n"},
               Case{What::kReady, answer("503 No", "{\"message\":\"tailscale0 is not counted: x\"}"),
                    Outcome::kFailed, "tailscale0 is not counted: x\n"});
  const TempDir folder;
  const std::string path = folder.path.string() + "/s.sock";
  const Stranger stranger(path, {row.answer});
  Terminal probe;
  CHECK(cli::show_status({.what = row.what, .socket = path}, probe.console) == row.outcome);
  CHECK_THAT(probe.said(), Catch::Matchers::EndsWith(row.said));
  CHECK(probe.said().find("busy") == std::string::npos);
  CHECK(probe.printed().empty() == (row.outcome != Outcome::kDone));
}

TEST_CASE("the status says what passes now, by the window that is being counted", "[server]") {
  const TempDir folder;
  const std::string path = folder.path.string() + "/s.sock";
  const std::string part =
      "{\"start\":\"2026-11-23T00:00:00Z\",\"end\":\"2026-11-23T00:00:02Z\",\"accounting\":{\"totals\":"
      "{\"txPkts\":10,\"txBytes\":3000,\"rxPkts\":20,\"rxBytes\":500000}}}";
  const Stranger stranger(
      path, {answer("200 OK", "{}"), answer("200 OK", "{\"logs\":[" + part + ",\n" + part + "]}\n")});
  Terminal page;
  CHECK(cli::show_status({.socket = path}, page.console) == Outcome::kDone);
  CHECK_THAT(page.printed(),
             ContainsSubstring("now             sends 3.00 kB/s and 10 packets/s; receives 500 kB/s and "
                               "20 packets/s\n"));
}

TEST_CASE("peers are a table, this node first", "[server]") {
  const Agent agent;
  Terminal table;
  CHECK(cli::show_peers({.socket = agent.socket}, table.console) == Outcome::kDone);
  CHECK(table.printed() ==
        "NAME                        ADDRESSES   OS     USER OR TAGS      ROUTES       STATE      BY\n"
        "lab-n1.tailnet-lab.ts.net   100.64.0.1  linux  user@example.com  -            this node  -\n"
        "lab-n2.tailnet-lab.ts.net   100.64.0.2  linux  tag:server        10.9.0.0/24  online     -\n"
        "quote\"d.tailnet-lab.ts.net  100.64.0.3  linux  -                 -            offline    -\n");
  Terminal json;
  CHECK(cli::show_peers({.socket = agent.socket, .json = true}, json.console) == Outcome::kDone);
  CHECK_THAT(json.printed(), StartsWith("{\"source\":\"tailscaled\""));
}

TEST_CASE("a query gives the same rows from the agent and from the journal, in every form", "[server]") {
  Agent agent(300, 5);
  agent.source.seal_all();
  agent.source.append(100, 5);
  const auto format =
      GENERATE(cli::Format::kTable, cli::Format::kJson, cli::Format::kNdjson, cli::Format::kCsv);
  struct Case {
    std::string filter;
    std::string group_by;
    std::string sort;
    std::string limit;
    std::size_t rows;
  };
  const Case asked = GENERATE(Case{"", "", "", "", 2000}, Case{"port 443 and packets > 10", "", "", "7", 7},
                              Case{"", "dst,port", "", "20", 20}, Case{"", "time:5m", "+time", "", 7},
                              Case{"", "", "-txBytes", "10", 10});
  INFO(asked.filter << "|" << asked.group_by << "|" << asked.limit);
  cli::QueryOptions options = question(agent, asked.filter, format);
  options.text.group_by = asked.group_by;
  options.text.sort = asked.sort;
  options.text.limit = asked.limit;
  Terminal asking;
  CHECK(cli::run_query(options, asking.console) == Outcome::kDone);
  options.journal = agent.source.journal();
  options.threads = 2;
  Terminal reading;
  CHECK(cli::run_query(options, reading.console) == Outcome::kDone);
  CHECK(asking.said().empty());
  if (format == cli::Format::kJson) {  // the summary tells how many threads had to look
    CHECK(asking.printed().substr(0, asking.printed().find("\"summary\"")) ==
          reading.printed().substr(0, reading.printed().find("\"summary\"")));
    CHECK(lines(asking.printed()) == asked.rows);  // the last one is the summary's
  } else {
    CHECK(asking.printed() == reading.printed());
    CHECK(lines(asking.printed()) == asked.rows + (format == cli::Format::kNdjson ? 0 : 1));
  }
}

TEST_CASE("times are those of who asks", "[server]") {
  const Agent agent(10, 1);
  cli::QueryOptions options = question(agent, "", cli::Format::kNdjson);
  options.text.start = "2026-11-23T00:00:11Z";
  options.text.end = "2026-11-23T00:00:21Z";
  Terminal some;
  CHECK(cli::run_query(options, some.console) == Outcome::kDone);
  CHECK(lines(some.printed()) == 3);
}

TEST_CASE("a query without an answer says so, and is no failure", "[server]") {
  const Agent agent;
  Terminal none;
  CHECK(cli::run_query(question(agent, "src 192.0.2.1"), none.console) == Outcome::kDone);
  CHECK(lines(none.printed()) == 1);
  CHECK_THAT(none.said(), StartsWith("flowtally: nothing matches"));
}

TEST_CASE("what is wrong in a question is said before anybody is asked", "[server]") {
  Terminal wrong;
  cli::QueryOptions options{.socket = "/nowhere/s.sock"};
  options.text.filter = "prto tcp";
  CHECK(cli::run_query(options, wrong.console) == Outcome::kUsage);
  CHECK_THAT(wrong.said(), ContainsSubstring("did you mean `proto`"));
  Terminal tail;
  CHECK(cli::follow({.socket = "/nowhere/s.sock", .filter = "prto tcp"}, tail.console) == Outcome::kUsage);
}

TEST_CASE("a journal that is not there is a failure with what to do", "[server]") {
  Terminal nowhere;
  cli::QueryOptions options{.journal = "/nowhere/network"};
  CHECK(cli::run_query(options, nowhere.console) == Outcome::kFailed);
  CHECK_THAT(nowhere.said(), ContainsSubstring("/nowhere/network") && ContainsSubstring("--state-dir"));
}

TEST_CASE("records that are gone are told of", "[server]") {
  Agent agent(50, 20);
  agent.end();
  // A byte of the open segment's middle: its record has no longer its checksum, or is no record any more.
  std::string segment;
  for (const auto& file : std::filesystem::directory_iterator(agent.source.journal())) {
    if (file.file_size() > 10'000) segment = file.path().string();
  }
  REQUIRE_FALSE(segment.empty());
  const base::UniqueFd file(::open(segment.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(file.valid());
  struct stat found{};
  REQUIRE(::fstat(file.get(), &found) == 0);
  REQUIRE(::pwrite(file.get(), "\x01\x01\x01", 3, found.st_size / 2) == 3);
  agent.start();
  Terminal asking;
  CHECK(cli::run_query(question(agent, "", cli::Format::kCsv), asking.console) == Outcome::kDone);
  CHECK_THAT(asking.said(), ContainsSubstring("missing: 1"));
}

TEST_CASE("an agent that is not there is told apart from one that may not be asked", "[server]") {
  const TempDir folder;
  const std::string path = folder.path.string() + "/s.sock";
  const auto ask_all = [&](const std::string& expected) {
    INFO(expected);
    Terminal status;
    CHECK(cli::show_status({.socket = path}, status.console) == Outcome::kUnreachable);
    CHECK_THAT(status.said(), ContainsSubstring(expected) && ContainsSubstring(path));
    Terminal peers;
    CHECK(cli::show_peers({.socket = path}, peers.console) == Outcome::kUnreachable);
    CHECK_THAT(peers.said(), ContainsSubstring(expected));
    Terminal query;
    CHECK(cli::run_query({.socket = path}, query.console) == Outcome::kUnreachable);
    CHECK_THAT(query.said(), ContainsSubstring(expected));
    Terminal tail;
    CHECK(cli::follow({.socket = path}, tail.console) == Outcome::kUnreachable);
    CHECK_THAT(tail.said(), ContainsSubstring(expected));
  };
  ask_all("Start `flowtally run`");
  const base::UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path, address.sun_path);
  REQUIRE(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  ask_all("No agent listens on the socket");

  Terminal longer;
  CHECK(cli::show_status({.socket = std::string(200, 'x')}, longer.console) == Outcome::kUsage);
  CHECK_THAT(longer.said(), ContainsSubstring("is no path of a socket"));
}

TEST_CASE("an old agent, a busy one and a stranger are told apart", "[server]") {
  struct Case {
    std::string answer;
    std::string expected;
  };
  const auto row = GENERATE(
      Case{answer("404 Not Found", "{\"message\":\"there is no such path; docs has those\"}"),
           "It is older than this program"},
      Case{answer("503 Busy", "{\"message\":\"2 more\"}"), "the agent is busy: 2 more. Try again"},
      Case{answer("400 Bad", "{\"message\":\"wrong\"}"), "wrong"},
      Case{answer("403 Forbidden", "<html>"), "answered with status 403"},
      Case{"SSH-2.0-OpenSSH\r\n", "does not speak HTTP"}, Case{"", "closed the connection without an answer"},
      Case{"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"columns\":[\"src\"],\"rows\":[{\"src\":\"x\"}",
           "broke off its answer"},
      Case{answer("200 OK", "{\"columns\":[\"src\"],\"rows\":[{\"src\":\"x\"},"), "is not whole"},
      Case{answer("200 OK", "body"), "is not whole"});
  INFO(row.expected);
  const TempDir folder;
  const std::string path = folder.path.string() + "/s.sock";
  const Stranger stranger(path, {row.answer});
  Terminal asking;
  const Outcome outcome = cli::run_query({.socket = path}, asking.console);
  CHECK((outcome == Outcome::kFailed || (outcome == Outcome::kUsage && row.expected == "wrong")));
  CHECK_THAT(asking.said(), ContainsSubstring(row.expected));
}

TEST_CASE("Ctrl-C ends a question that nobody answers", "[server]") {
  const TempDir folder;
  const std::string path = folder.path.string() + "/s.sock";
  const base::UniqueFd silent(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::ranges::copy(path, address.sun_path);
  REQUIRE(::bind(silent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  REQUIRE(::listen(silent.get(), 4) == 0);
  Terminal asking;
  base::UniqueFd client;  // Open until the end: a connection that is closed would be another reason to end.
  const std::jthread presser([&] {
    client.reset(::accept4(silent.get(), nullptr, nullptr, SOCK_CLOEXEC));
    asking.press_stop();
  });
  const Outcome outcome = cli::run_query({.socket = path}, asking.console);
  CHECK(outcome == Outcome::kStopped);
}

TEST_CASE("Ctrl-C ends the reading of a journal", "[server]") {
  const Agent agent(500, 2);
  Terminal asking;
  asking.press_stop();
  cli::QueryOptions options{.journal = agent.source.journal()};
  CHECK(cli::run_query(options, asking.console) == Outcome::kStopped);
}

}  // namespace flowtally::test
