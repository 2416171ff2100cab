// The other end of systemd's protocol is a socket of the test's own: what comes out of it is what systemd
// would get.
#include "app/service_manager.hpp"

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace flowtally::app {
namespace {

/// A socket under that name; with "@" in front an abstract one. The variable names it while it lives.
class Manager {
 public:
  explicit Manager(const std::string& name) : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)) {
    union {
      sockaddr any;
      sockaddr_un local;
    } own{};
    own.local.sun_family = AF_UNIX;
    REQUIRE(name.size() < sizeof(own.local.sun_path));
    std::memcpy(own.local.sun_path, name.data(), name.size());
    if (name[0] == '@') own.local.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    REQUIRE(::bind(fd_.get(), &own.any, size) == 0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  ~Manager() { ::unsetenv("NOTIFY_SOCKET"); }

  /// The next datagram; empty: there is none.
  [[nodiscard]] std::string heard() const {
    std::array<char, 256> text{};
    const auto size = ::recv(fd_.get(), text.data(), text.size(), 0);
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : std::string();
  }

 private:
  base::UniqueFd fd_;
};

struct Watchdog {
  Watchdog(const std::string& limit_us, const std::string& process) {
    ::setenv("WATCHDOG_USEC", limit_us.c_str(), 1);
    if (!process.empty()) ::setenv("WATCHDOG_PID", process.c_str(), 1);
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog() {
    ::unsetenv("WATCHDOG_USEC");
    ::unsetenv("WATCHDOG_PID");
  }
};

TEST_CASE("systemd is told on the socket it names, by path or by abstract name", "[unit]") {
  const test::TempDir folder;
  const std::string name = GENERATE(as<std::string>(), "path", "abstract");
  const Manager manager(name == "path" ? (folder.path / "notify").string()
                                       : fmt::format("@flowtally-test-{}", ::getpid()));
  const ServiceManager service;
  service.ready();
  CHECK(manager.heard() == "READY=1");
  service.stopping();
  CHECK(manager.heard() == "STOPPING=1");
  CHECK(manager.heard().empty());
}

TEST_CASE("where nobody listens, nothing happens", "[unit]") {
  const std::string name = GENERATE(as<std::string>(), "", "/nowhere/notify", "notify", "@", "vsock:2:1234",
                                    "/" + std::string(300, 'x'));
  ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  const ServiceManager service;
  service.ready();
  ::unsetenv("NOTIFY_SOCKET");
  service.ready();
  SUCCEED("came back");
}

TEST_CASE("a watchdog is told at once, and again after a quarter of its time only", "[unit]") {
  const test::TempDir folder;
  const Manager manager((folder.path / "notify").string());
  const Watchdog watchdog("60000000", std::to_string(::getpid()));
  ServiceManager service;
  CHECK(service.alive_every() == std::chrono::seconds(15));
  service.alive();
  CHECK(manager.heard() == "WATCHDOG=1");
  service.alive();
  CHECK(manager.heard().empty());
}

TEST_CASE("a watchdog of another process, or one that makes no sense, is none", "[unit]") {
  const auto [limit_us, process] = GENERATE(table<std::string, std::string>({{"60000000", "1"},
                                                                             {"60000000", "x"},
                                                                             {"60000000", " "},
                                                                             {"0", ""},
                                                                             {"", ""},
                                                                             {"-5", ""},
                                                                             {"60s", ""},
                                                                             {"18446744073709551615", ""}}));
  const Watchdog watchdog(limit_us, process);
  INFO(limit_us << " of " << process);
  CHECK(ServiceManager().alive_every().count() == 0);
}

TEST_CASE("a watchdog that names no process is meant for this one", "[unit]") {
  const Watchdog watchdog("4000000", "");
  CHECK(ServiceManager().alive_every() == std::chrono::seconds(1));
}

}  // namespace
}  // namespace flowtally::app
