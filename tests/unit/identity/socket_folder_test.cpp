// Goal: a folder that is there, one that never was and one that was removed under us are told apart. Method:
// a descriptor holds the removed one, as a mount would.
#include "identity/socket_folder.hpp"

#include <string>

#include <fcntl.h>

#include "base/unique_fd.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace flowtally::test {

TEST_CASE("a folder that was removed while it is held is told from one that is there or never was",
          "[unit]") {
  const TempDir temp;
  const auto folder = temp.path / "tailscale";
  std::filesystem::create_directory(folder);
  const base::UniqueFd held(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::string through = "/proc/self/fd/" + std::to_string(held.get()) + "/tailscaled.sock";
  CHECK_FALSE(identity::socket_folder_removed(through));
  std::filesystem::remove(folder);
  CHECK(identity::socket_folder_removed(through));
  CHECK_FALSE(identity::socket_folder_removed((folder / "tailscaled.sock").string()));
  CHECK_FALSE(identity::socket_folder_removed("tailscaled.sock"));
  CHECK_FALSE(identity::socket_folder_removed("/tailscaled.sock"));
  CHECK_FALSE(identity::socket_folder_removed(""));
}

}  // namespace flowtally::test
