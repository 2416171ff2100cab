// Goal: folders that the agent writes in are made and are its own, and nobody else's are given away, whatever
// path somebody gave.
#include "rights/folders.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace flowtally::test {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> kOwn = {"network", "version", "state.sock"};
const rights::Account kAccount{.user = 65532, .group = 65531, .name = "test"};

uid_t owner(const fs::path& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_uid : static_cast<uid_t>(-1);
}

void write(const fs::path& path) { std::ofstream(path) << "x"; }

base::Status look(const fs::path& path) { return rights::may_give_folder(path.string(), kAccount, kOwn); }

/// Which is what a look before it has said.
base::Status give(const fs::path& path) {
  const bool there = fs::exists(path);
  const auto looked = look(path);
  CHECK(fs::exists(path) == there);
  auto given = rights::give_folder(path.string(), kAccount, kOwn);
  CHECK(looked.has_value() == given.has_value());
  return given;
}

/// Refused, with the reason and what to do, and nothing has changed hands.
void check_refused(const fs::path& folder, const std::string& reason) {
  const auto given = give(folder);
  REQUIRE_FALSE(given);
  INFO(given.error().text());
  CHECK(given.error().text().find(reason) != std::string::npos);
  CHECK(given.error().remedy().find("a folder of its own") != std::string::npos);
  CHECK(owner(folder) == 0);
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    INFO(entry.path());
    CHECK(owner(entry.path()) == 0);
  }
}

}  // namespace

TEST_CASE("a folder is made with those above it, and given with all that is in it", "[unit]") {
  if (::geteuid() != 0) SKIP("needs root: gives files to another user");
  const TempDir temp;
  const fs::path folder = temp.path / "lib" / "state";
  REQUIRE(give(folder));
  CHECK(owner(folder) == kAccount.user);
  CHECK(owner(folder.parent_path()) == 0);

  const fs::path old = temp.path / "old";
  fs::create_directories(old / "network" / "cursors");
  fs::create_directories(old / "lost+found");
  write(old / "lost+found" / "#12");
  write(old / "network" / "1.ndjson");
  write(old / "network" / "cursors" / "sink");
  write(old / "version.aside");
  write(temp.path / "outside");
  fs::create_symlink(temp.path / "outside", old / "network" / "link");
  REQUIRE(give(old));
  for (const char* const name : {"", "network", "network/1.ndjson", "network/cursors", "network/cursors/sink",
                                 "network/link", "version.aside"}) {
    INFO(name);
    CHECK(owner(old / name) == kAccount.user);
  }
  CHECK(owner(temp.path / "outside") == 0);
  CHECK(owner(old / "lost+found") == 0);
  CHECK(owner(old / "lost+found" / "#12") == 0);

  // What the account has put there since is its own business.
  write(old / "root-again");
  REQUIRE(give(old));
  CHECK(owner(old / "root-again") == 0);
}

TEST_CASE("a folder with anybody else's files in it is not taken, and nothing in it", "[unit]") {
  if (::geteuid() != 0) SKIP("needs root: gives files to another user");
  const TempDir temp;
  // Whatever order they are listed in.
  for (const char* const name : {"dpkg", "a-file", "networks", "zzz"}) {
    const fs::path lib = temp.path / name / "lib";
    fs::create_directories(lib / "network" / "cursors");
    write(lib / "network" / "1.ndjson");
    write(lib / "version");
    write(lib / name);
    check_refused(lib, std::string(name) + " is not flowtally's");
    fs::remove(lib / name);
    fs::create_directories(lib / name / "below");
    check_refused(lib, std::string(name) + " is not flowtally's");
  }
}

TEST_CASE("links lead nowhere: not in the folder, and the folder itself only as its owner said", "[unit]") {
  if (::geteuid() != 0) SKIP("needs root: gives files to another user");
  const TempDir temp;
  const fs::path elsewhere = temp.path / "elsewhere";
  fs::create_directories(elsewhere / "network");
  write(elsewhere / "network" / "1.ndjson");
  fs::create_symlink(elsewhere, temp.path / "state");
  REQUIRE(give(temp.path / "state"));
  CHECK(owner(elsewhere) == kAccount.user);
  CHECK(owner(elsewhere / "network" / "1.ndjson") == kAccount.user);
  CHECK(owner(temp.path / "state") == 0);

  const fs::path other = temp.path / "other";
  fs::create_directories(temp.path / "private");
  write(temp.path / "private" / "key");
  fs::create_directories(other);
  fs::create_symlink(temp.path / "private", other / "network");
  REQUIRE(give(other));
  CHECK(owner(other / "network") == kAccount.user);  // the link
  CHECK(owner(temp.path / "private") == 0);
  CHECK(owner(temp.path / "private" / "key") == 0);
}

TEST_CASE("a file with a second name elsewhere is not given away", "[unit]") {
  if (::geteuid() != 0) SKIP("needs root: gives files to another user");
  const TempDir temp;
  write(temp.path / "shadow");
  fs::create_directories(temp.path / "state" / "network");
  write(temp.path / "state" / "network" / "0.ndjson");
  fs::create_hard_link(temp.path / "shadow", temp.path / "state" / "network" / "1.ndjson");
  check_refused(temp.path / "state", "1.ndjson has a second name");
  CHECK(owner(temp.path / "shadow") == 0);
  // Of the account's own there is nothing to be had.
  REQUIRE(::lchown((temp.path / "shadow").c_str(), kAccount.user, kAccount.group) == 0);
  REQUIRE(give(temp.path / "state"));
  CHECK(owner(temp.path / "state" / "network" / "0.ndjson") == kAccount.user);
}

TEST_CASE("what is deeper than ours is not given away", "[unit]") {
  if (::geteuid() != 0) SKIP("needs root: gives files to another user");
  const TempDir temp;
  fs::path deep = temp.path / "state" / "network";
  for (int depth = 0; depth < 7; ++depth) deep /= "d";
  fs::create_directories(deep / "d");
  check_refused(temp.path / "state", "is deeper than");
  fs::remove(deep / "d");
  REQUIRE(give(temp.path / "state"));
  CHECK(owner(deep) == kAccount.user);
}

TEST_CASE("a folder in which everybody may write stays as it is", "[unit]") {
  if (::geteuid() != 0) SKIP("needs root: gives files to another user");
  const TempDir temp;
  fs::create_directories(temp.path / "tmp" / "somebody");
  fs::permissions(temp.path / "tmp", fs::perms(01777));
  REQUIRE(give(temp.path / "tmp"));
  CHECK(owner(temp.path / "tmp") == 0);
  CHECK(owner(temp.path / "tmp" / "somebody") == 0);
}

TEST_CASE("a folder of sockets that was there is given away only if it bears our name", "[unit]") {
  if (::geteuid() != 0) SKIP("needs root: gives files to another user");
  const TempDir temp;
  fs::create_directories(temp.path / "run");
  fs::create_directories(temp.path / "flowtally");
  REQUIRE(rights::give_socket_folder((temp.path / "run" / "a.sock").string(), kAccount));
  CHECK(owner(temp.path / "run") == 0);
  REQUIRE(rights::give_socket_folder((temp.path / "flowtally" / "a.sock").string(), kAccount));
  CHECK(owner(temp.path / "flowtally") == kAccount.user);
  REQUIRE(rights::give_socket_folder((temp.path / "new" / "a.sock").string(), kAccount));
  CHECK(owner(temp.path / "new") == kAccount.user);

  // Left by a run of root's, and a home of somebody of our name.
  const fs::path left = temp.path / "left" / "flowtally";
  const fs::path home = temp.path / "home" / "flowtally";
  for (const fs::path& folder : {left, home}) {
    fs::create_directories(folder);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (folder / "a.sock").string().copy(address.sun_path, sizeof(address.sun_path) - 1);
    const base::UniqueFd bound(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(bound.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0);
  }
  write(home / "key");
  REQUIRE(rights::give_socket_folder((left / "a.sock").string(), kAccount));
  CHECK(owner(left) == kAccount.user);
  CHECK(owner(left / "a.sock") == kAccount.user);
  REQUIRE(rights::give_socket_folder((home / "a.sock").string(), kAccount));
  CHECK(owner(home) == 0);
  CHECK(owner(home / "a.sock") == 0);
  CHECK(owner(home / "key") == 0);
}

TEST_CASE("a folder that cannot be made is an error with its name", "[unit]") {
  const TempDir temp;
  write(temp.path / "file");
  const auto given = give(temp.path / "file" / "state");
  REQUIRE_FALSE(given);
  CHECK(given.error().text().find("file") != std::string::npos);
}

}  // namespace flowtally::test
