// Goal: over TCP nothing is to be had without the token.
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/server.hpp"
#include "base/unique_fd.hpp"
#include "server/api/client.hpp"
#include "server/api/fake_source.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;

constexpr std::string_view kToken = "0123456789abcdef0123456789abcdef";

struct Rig {
  TempDir folder;
  FakeSource source{folder.path.string()};
  api::ServerOptions options{.socket_path = folder.path.string() + "/s.sock",
                             .tcp_address = "127.0.0.1:0",
                             .token_file = folder.path.string() + "/token"};

  explicit Rig(mode_t mode = 0600) {
    const base::UniqueFd file(::open(options.token_file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    REQUIRE(::write(file.get(), kToken.data(), kToken.size()) == static_cast<ssize_t>(kToken.size()));
    REQUIRE(::fchmod(file.get(), mode) == 0);
  }

  base::Result<std::unique_ptr<api::Server>> start() { return api::Server::start(options, source); }
};

std::string url(const api::Server& server, std::string_view target) {
  return fmt::format("http://127.0.0.1:{}{}", server.tcp_port(), target);
}

constexpr std::string_view kLogs =
    "/api/v2/tailnet/-/logging/network?start=2026-11-23T00:00:00Z&end=2027-11-23T00:00:00Z";

}  // namespace

TEST_CASE("over TCP the token is needed for every path", "[server]") {
  Rig rig;
  const auto server = rig.start();
  REQUIRE(server.has_value());
  for (const char* const target : {"/metrics", "/healthz", "/api/v1/status", "/no/such/path", "/%zz"}) {
    CAPTURE(target);
    const Response refused = ask({.target = url(**server, target)});
    CHECK(refused.status == 401);
    CHECK_THAT(refused.headers, ContainsSubstring("WWW-Authenticate: Basic"));
    CHECK_THAT(refused.body, ContainsSubstring("{\"message\":") && !ContainsSubstring(std::string(kToken)));
  }
  CHECK(ask({.target = url(**server, "/metrics"), .headers = {"Authorization: Bearer wrong"}}).status == 401);
  CHECK(
      ask({.target = url(**server, "/metrics"), .headers = {fmt::format("Authorization: Bearer {}", kToken)}})
          .status == 200);
  // As curl -u and Tailscale's clients send it.
  const std::string basic = fmt::format("http://{}:@127.0.0.1:{}/metrics", kToken, (*server)->tcp_port());
  CHECK(ask({.target = basic}).status == 200);
  // On the Unix socket the file's mode is what counts.
  CHECK(ask({.socket = rig.options.socket_path, .target = "/metrics"}).status == 200);
}

TEST_CASE("a listing over TCP is compressed for who takes gzip", "[server]") {
  Rig rig;
  rig.source.append(50, 200);
  const auto server = rig.start();
  REQUIRE(server.has_value());
  const std::vector<std::string> headers{fmt::format("Authorization: Bearer {}", kToken)};
  const Response plain = ask({.target = url(**server, kLogs), .headers = headers});
  const Response packed = ask({.target = url(**server, kLogs), .headers = headers, .encoding = "gzip"});
  CHECK(plain.whole);
  CHECK(packed.whole);
  CHECK_THAT(packed.headers, ContainsSubstring("Content-Encoding: gzip"));
  CHECK_THAT(plain.headers, !ContainsSubstring("Content-Encoding"));
  CHECK(packed.body == plain.body);
}

TEST_CASE("TCP is not opened without a token, with one that others may read, or beyond loopback",
          "[server]") {
  Rig rig;
  rig.options.token_file.clear();
  CHECK_THAT(rig.start().error().text(), ContainsSubstring("needs a token"));
  Rig open(0644);
  CHECK(open.start().error().code() == base::ErrorCode::kPermission);
  Rig wide;
  wide.options.tcp_address = "0.0.0.0:0";
  CHECK(wide.start().error().code() == base::ErrorCode::kPermission);
  wide.options.tcp_beyond_loopback = true;
  CHECK(wide.start().has_value());
  for (const char* const address :
       {"localhost:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "::1:80", "[::1]"}) {
    CAPTURE(address);
    wide.options.tcp_address = address;
    CHECK(wide.start().error().code() == base::ErrorCode::kInvalidArgument);
  }
}

}  // namespace flowtally::test
