// Goal: folders that the agent writes in are made and are its own, and nobody else's are given away.
#include "rights/folders.hpp"

#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace flowtally::test {
namespace {

namespace fs = std::filesystem;

const rights::Account kAccount{.user = 65532, .group = 65531, .name = "test"};

uid_t owner(const fs::path& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 ? info.st_uid : static_cast<uid_t>(-1);
}

void write(const fs::path& path) { std::ofstream(path) << "x"; }

}  // namespace

TEST_CASE("a folder is made with those above it, and given with all that is in it", "[unit]") {
  if (::geteuid() != 0) SKIP("needs root: gives files to another user");
  const TempDir temp;
  const fs::path folder = temp.path / "lib" / "state";
  REQUIRE(rights::give_folder(folder.string(), kAccount));
  CHECK(owner(folder) == kAccount.user);
  CHECK(owner(folder.parent_path()) == 0);

  const fs::path old = temp.path / "old";
  fs::create_directories(old / "network");
  write(old / "network" / "1.ndjson");
  write(temp.path / "outside");
  fs::create_symlink(temp.path / "outside", old / "link");
  REQUIRE(rights::give_folder(old.string(), kAccount));
  CHECK(owner(old) == kAccount.user);
  CHECK(owner(old / "network" / "1.ndjson") == kAccount.user);
  CHECK(owner(old / "link") == kAccount.user);
  CHECK(owner(temp.path / "outside") == 0);

  // What the account has put there since is its own business.
  write(old / "root-again");
  REQUIRE(rights::give_folder(old.string(), kAccount));
  CHECK(owner(old / "root-again") == 0);
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
}

TEST_CASE("a folder that cannot be made is an error with its name", "[unit]") {
  const TempDir temp;
  write(temp.path / "file");
  const auto given = rights::give_folder((temp.path / "file" / "state").string(), kAccount);
  REQUIRE_FALSE(given);
  CHECK(given.error().text().find("file") != std::string::npos);
}

}  // namespace flowtally::test
