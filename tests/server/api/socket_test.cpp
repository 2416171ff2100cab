// Goal: the socket's file comes and goes as it should, and only who may open it gets in.
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/server.hpp"
#include "base/unique_fd.hpp"
#include "server/api/client.hpp"
#include "server/api/fake_source.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"
#include "support/wait_until.hpp"

namespace flowtally::test {
namespace {

using Catch::Matchers::ContainsSubstring;

mode_t mode_of(const std::string& path) {
  struct stat info{};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return info.st_mode;
}

bool is_there(const std::string& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0;
}

base::UniqueFd bound_socket(const std::string& path, bool listening) {
  base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  if (listening) REQUIRE(::listen(fd.get(), 5) == 0);
  return fd;
}

/// What connect() says to that user, in a child that can do no more.
int connect_errno_of(uid_t user, gid_t group, const std::string& path) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (::setgroups(0, nullptr) != 0 || ::setgid(group) != 0 || ::setuid(user) != 0) ::_exit(255);
    const bool in = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    ::_exit(in ? 0 : errno);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

struct Rig {
  TempDir folder;
  FakeSource source{folder.path.string()};
  std::string path = folder.path.string() + "/run/flowtally.sock";

  base::Result<std::unique_ptr<api::Server>> start() {
    return api::Server::start({.socket_path = path}, source);
  }
};

}  // namespace

TEST_CASE("the socket has mode 0660 in a folder with 0755, whatever the umask, and goes at the stop",
          "[server]") {
  Rig rig;
  const mode_t before = ::umask(077);
  auto server = rig.start();
  ::umask(before);
  REQUIRE(server.has_value());
  CHECK(S_ISSOCK(mode_of(rig.path)));
  CHECK((mode_of(rig.path) & 0777U) == 0660);
  CHECK((mode_of(rig.folder.path.string() + "/run") & 0777U) == 0755);
  CHECK((*server)->addresses() == std::vector<std::string>{rig.path});
  CHECK(ask({.socket = rig.path, .target = "/healthz"}).status == 200);
  (*server)->stop();
  CHECK_FALSE(is_there(rig.path));
  CHECK(std::filesystem::is_empty(rig.folder.path.string() + "/run"));
  CHECK(ask({.socket = rig.path, .target = "/healthz"}).status == 0);
}

TEST_CASE("a socket that a dead process left is replaced", "[server]") {
  Rig rig;
  std::filesystem::create_directory(rig.folder.path.string() + "/run");
  bound_socket(rig.path, true).reset();
  REQUIRE(is_there(rig.path));
  const auto server = rig.start();
  REQUIRE(server.has_value());
  CHECK(ask({.socket = rig.path, .target = "/healthz"}).status == 200);
}

TEST_CASE("a socket that somebody listens on is left alone, and its owner named", "[server]") {
  Rig rig;
  std::filesystem::create_directory(rig.folder.path.string() + "/run");
  const base::UniqueFd theirs = bound_socket(rig.path, true);
  const auto server = rig.start();
  REQUIRE_FALSE(server.has_value());
  CHECK(server.error().code() == base::ErrorCode::kResource);
  CHECK_THAT(server.error().text(),
             ContainsSubstring(std::to_string(::getpid())) && ContainsSubstring("listens"));
  CHECK(is_there(rig.path));
}

TEST_CASE("what is no socket is left alone", "[server]") {
  Rig rig;
  std::filesystem::create_directories(rig.path);
  const auto server = rig.start();
  REQUIRE_FALSE(server.has_value());
  CHECK_THAT(server.error().text(), ContainsSubstring("no socket"));
  CHECK(is_there(rig.path));
}

TEST_CASE("a socket that another one has put in its place is not removed at the stop", "[server]") {
  Rig rig;
  auto first = rig.start();
  REQUIRE(first.has_value());
  std::filesystem::remove(rig.path);
  const auto second = rig.start();
  REQUIRE(second.has_value());
  (*first)->stop();
  CHECK(ask({.socket = rig.path, .target = "/healthz"}).status == 200);
}

TEST_CASE("a path that cannot be one, and a group that is none, are refused", "[server]") {
  Rig rig;
  rig.path = "/tmp/" + std::string(200, 'a');
  CHECK(rig.start().error().code() == base::ErrorCode::kInvalidArgument);
  rig.path = rig.folder.path.string() + "/s";
  const auto server =
      api::Server::start({.socket_path = rig.path, .socket_group = "no-such-group"}, rig.source);
  REQUIRE_FALSE(server.has_value());
  CHECK(server.error().code() == base::ErrorCode::kNotFound);
  CHECK_FALSE(is_there(rig.path));
}

TEST_CASE("users of the socket's group get in, others do not", "[server]") {
  if (::geteuid() != 0) SKIP("needs root: becomes other users");
  const passwd* const nobody = ::getpwnam("nobody");
  const group* const daemon = ::getgrnam("daemon");
  if (nobody == nullptr || daemon == nullptr) SKIP("needs the user nobody and the group daemon");
  const uid_t user = nobody->pw_uid;
  const gid_t theirs = nobody->pw_gid;
  const gid_t wanted = daemon->gr_gid;
  Rig rig;
  REQUIRE(::chmod(rig.folder.path.string().c_str(), 0755) == 0);
  const auto server = api::Server::start({.socket_path = rig.path, .socket_group = "daemon"}, rig.source);
  REQUIRE(server.has_value());
  CHECK(connect_errno_of(user, theirs, rig.path) == EACCES);
  CHECK(connect_errno_of(user, wanted, rig.path) == 0);
}

TEST_CASE("a socket of systemd's is served, and is there for the next process", "[server]") {
  const TempDir folder;
  const std::string path = folder.path.string() + "/systemd.sock";
  const base::UniqueFd listening = bound_socket(path, true);
  for (int run = 0; run < 2; ++run) {
    ApiProcess process({folder.path.string(), folder.path.string() + "/unused.sock", "3", "1", "systemd"},
                       listening.get());
    CHECK(process.said() == "ready " + path + "\n");
    CHECK(ask({.socket = path, .target = "/healthz"}).status == 200);
    CHECK(process.end() == 0);
    CHECK(is_there(path));
    CHECK_FALSE(is_there(folder.path.string() + "/unused.sock"));
  }
}

TEST_CASE("without a socket of systemd's the path is served", "[server]") {
  const TempDir folder;
  const std::string path = folder.path.string() + "/own.sock";
  ApiProcess process({folder.path.string(), path, "1", "1", "systemd"});
  CHECK(ask({.socket = path, .target = "/healthz"}).status == 200);
  CHECK(process.end() == 0);
}

}  // namespace flowtally::test
