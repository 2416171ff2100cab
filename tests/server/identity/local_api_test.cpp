// Goal: whatever tailscaled does with a question, one answer or one clear error comes of it.
#include "identity/local_api.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "support/local_api_stub.hpp"

namespace flowtally::identity {
namespace {

using test::LocalApiStub;
using test::StubReply;

/// Far away: what is waited for comes, or the test fails.
constexpr std::chrono::seconds kDeadline{20};

LocalApi api_at(const std::string& socket, LocalApiOptions options = {}) {
  options.socket = socket;
  auto api = LocalApi::open(std::move(options));
  REQUIRE(api);
  return std::move(*api);
}

Answer ask(LocalApi& api, const std::string& name) {
  api.get(name);
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  while (std::chrono::steady_clock::now() < until) {
    auto turn = api.wait(kDeadline);
    if (turn.answer) return std::move(*turn.answer);
  }
  FAIL("no answer before the deadline");
  return {.body = {}};
}

/// The answer to one question, where the stub says `reply`.
Answer answer_to(StubReply reply, LocalApiOptions options = {}) {
  LocalApiStub stub;
  stub.reply("status", std::move(reply));
  LocalApi api = api_at(stub.socket(), std::move(options));
  return ask(api, "status");
}

std::string error_text(const Answer& answer) { return answer.body ? "" : answer.body.error().text(); }

TEST_CASE("an answer comes whole, chunked or not", "[server]") {
  for (const bool chunked : {true, false}) {
    const std::string body(300'000, 'x');
    const Answer answer = answer_to({.body = body, .chunked = chunked, .times = 3});
    REQUIRE(answer.body);
    CHECK(*answer.body == body + body + body);
    CHECK(answer.reached);
    CHECK(answer.http_status == 200);
  }
  CHECK(answer_to({.body = ""}).body.value().empty());
}

TEST_CASE("tailscaled gets the one host name that it takes, no origin, and no proxy comes between",
          "[server]") {
  ::setenv("http_proxy", "http://127.0.0.1:9", 1);
  LocalApiStub stub;
  stub.reply("prefs", {.body = "{}"});
  LocalApi api = api_at(stub.socket());
  CHECK(ask(api, "prefs").body.value() == "{}");
  ::unsetenv("http_proxy");
  const auto heads = stub.questions("prefs");
  REQUIRE(heads.size() == 1);
  CHECK(heads[0].starts_with("GET /localapi/v0/prefs HTTP/1.1\r\n"));
  CHECK(heads[0].find("\r\nHost: local-tailscaled.sock\r\n") != std::string::npos);
  CHECK(heads[0].find("Origin") == std::string::npos);
  CHECK(heads[0].find("Referer") == std::string::npos);
}

TEST_CASE("one question follows the other", "[server]") {
  LocalApiStub stub;
  stub.reply("status", {.body = "1"});
  stub.reply("prefs", {.body = "2"});
  LocalApi api = api_at(stub.socket());
  CHECK(ask(api, "status").body.value() == "1");
  CHECK_FALSE(api.busy());
  CHECK(ask(api, "prefs").body.value() == "2");
  CHECK(ask(api, "nothing").http_status == 404);
}

TEST_CASE("a path that can be none of a socket is refused at once", "[server]") {
  for (const std::string& path : {std::string(), std::string(108, 'x'), std::string("a\0b", 3)}) {
    const auto api = LocalApi::open({.socket = path});
    REQUIRE_FALSE(api);
    CHECK(api.error().code() == base::ErrorCode::kInvalidArgument);
    CHECK(api.error().text().ends_with(
        "is no path of a socket. Give one of 1 to 107 bytes, such as /var/run/tailscale/tailscaled.sock."));
  }
}

TEST_CASE("where nobody listens, the error says what to do", "[server]") {
  LocalApiStub stub;
  LocalApi api = api_at(stub.socket());
  stub.abandon();
  Answer answer = ask(api, "status");
  CHECK_FALSE(answer.reached);
  CHECK(error_text(answer) ==
        fmt::format("GET status: connect to tailscaled at {}: Connection refused. Start "
                    "tailscaled: nobody listens on the socket.",
                    stub.socket()));
  std::filesystem::remove(stub.socket());
  answer = ask(api, "status");
  CHECK_FALSE(answer.reached);
  CHECK(answer.body.error().code() == base::ErrorCode::kNotFound);
  CHECK(error_text(answer) ==
        fmt::format("GET status: connect to tailscaled at {}: No such file or directory. "
                    "Start tailscaled, or give the path of its socket.",
                    stub.socket()));
  std::ofstream(stub.socket()) << "a file";
  CHECK(error_text(ask(api, "status")).find("Connection refused") != std::string::npos);
}

TEST_CASE("a socket that may not be opened is said", "[server]") {
  LocalApiStub stub;
  std::filesystem::permissions(stub.socket(), std::filesystem::perms::none);
  std::optional<Answer> answer;
  // The system call changes the calling thread only: root would be let in.
  std::thread nobody([&] {
    constexpr unsigned kNobody = 65534;
    if (::geteuid() == 0 && ::syscall(SYS_setresuid, kNobody, kNobody, kNobody) != 0) return;
    auto api = LocalApi::open({.socket = stub.socket()});
    if (!api) return;
    api->get("status");
    while (!answer) answer = api->wait(kDeadline).answer;
  });
  nobody.join();
  REQUIRE(answer);
  CHECK_FALSE(answer->reached);
  CHECK(answer->body.error().code() == base::ErrorCode::kPermission);
  CHECK(error_text(*answer).ends_with("Run flowtally as a user who may open the socket, such as root."));
}

TEST_CASE("an answer with another status is an error with its first line", "[server]") {
  const Answer refused = answer_to({.status = 403, .body = "access denied\nmore"});
  CHECK(refused.reached);
  CHECK(refused.body.error().code() == base::ErrorCode::kPermission);
  CHECK(error_text(refused) ==
        "GET status: tailscaled answered with status 403: access denied. Run flowtally as root or as "
        "tailscaled's operator (`tailscale set --operator=USER`).");
  CHECK(error_text(answer_to({.status = 500, .body = ""})) ==
        "GET status: tailscaled answered with status 500");
  CHECK(error_text(answer_to({.status = 500, .body = "\x1b[31m" + std::string(1000, 'x')})) ==
        "GET status: tailscaled answered with status 500: ?[31m" + std::string(195, 'x'));
}

TEST_CASE("an answer that is too large is given up", "[server]") {
  LocalApiOptions options{.answer_bytes_max = 1000};
  CHECK(answer_to({.body = std::string(1000, 'x')}, options).body.value().size() == 1000);
  const Answer answer = answer_to({.body = std::string(1000, 'x'), .times = 1000}, options);
  CHECK(answer.reached);
  CHECK(answer.body.error().code() == base::ErrorCode::kResource);
  CHECK(error_text(answer) == "GET status: tailscaled's answer is longer than 1000 bytes");
}

TEST_CASE("an answer that is broken off is said", "[server]") {
  const std::string body(1000, 'x');
  for (const bool chunked : {true, false}) {
    const Answer answer = answer_to({.body = body, .chunked = chunked, .cut_after = 500});
    CHECK(answer.reached);
    CHECK(error_text(answer) == "GET status: tailscaled broke off its answer");
  }
}

TEST_CASE("an answer that does not end is given up after its time", "[server]") {
  const Answer answer =
      answer_to({.body = "{}", .held = true}, {.answer_timeout = std::chrono::milliseconds(50)});
  CHECK(answer.reached);
  CHECK(error_text(answer) ==
        "GET status: tailscaled did not finish its answer within 50 ms: Connection timed out");
}

TEST_CASE("a wait is ended from another thread", "[server]") {
  LocalApiStub stub;
  LocalApi api = api_at(stub.socket());
  std::thread waker([&] { api.wake(); });
  const auto turn = api.wait(std::chrono::hours(1));
  waker.join();
  CHECK_FALSE(turn.answer);
}

TEST_CASE("the bus tells of changes besides a question, until it ends", "[server]") {
  LocalApiStub stub;
  stub.reply("watch-ipn-bus", {.body = "{\"State\":6}\n"});
  stub.reply("status", {.body = "1"});
  LocalApi api = api_at(stub.socket());
  api.watch(36870);
  api.get("status");
  bool changed = false;
  bool answered = false;
  std::uint64_t messages = 0;
  while (!changed || !answered) {
    const auto turn = api.wait(kDeadline);
    REQUIRE((turn.answer || turn.messages > 0 || api.watching()));
    changed = changed || turn.changed;
    answered = answered || turn.answer.has_value();
    messages += turn.messages;
  }
  CHECK(messages == 1);
  CHECK(stub.questions("watch-ipn-bus")
            .at(0)
            .starts_with("GET /localapi/v0/watch-ipn-bus?mask=36870 HTTP/1.1"));
  stub.end_bus();
  std::optional<Answer> end;
  while (!end) end = api.wait(kDeadline).bus_ended;
  CHECK(error_text(*end) == "GET watch-ipn-bus?mask=36870: tailscaled closed its bus");
  CHECK(end->http_status == 200);
  CHECK_FALSE(api.watching());
}

TEST_CASE("a bus that is refused says with which status", "[server]") {
  LocalApiStub stub;
  stub.reply("watch-ipn-bus", {.status = 400, .body = "invalid mask"});
  LocalApi api = api_at(stub.socket());
  api.watch(36870);
  std::optional<Answer> end;
  while (!end) end = api.wait(kDeadline).bus_ended;
  CHECK(end->http_status == 400);
  CHECK(error_text(*end).ends_with("tailscaled answered with status 400: invalid mask"));
}

}  // namespace
}  // namespace flowtally::identity
