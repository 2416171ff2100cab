#include "rights/folders.hpp"

#include <cerrno>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rights/capabilities.hpp"

namespace flowtally::rights {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::fail;

constexpr mode_t kFolderMode = 0755;
constexpr const char* kOurName = "flowtally";

/// True: it was not there before.
base::Result<bool> make(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return false;
  if (path.has_parent_path() && path.parent_path() != path) {
    if (auto above = make(path.parent_path()); !above) return above;
  }
  if (::mkdir(path.c_str(), kFolderMode) == 0) return true;
  if (errno == EEXIST) return false;
  return fail(Error::from_errno(errno, fmt::format("make the folder {}", path.string())));
}

base::Status give(const fs::path& path, const Account& account) {
  if (::lchown(path.c_str(), account.user, account.group) == 0) return {};
  return fail(Error::from_errno(errno, fmt::format("give {} to the user {}", path.string(), account.name)));
}

base::Status give_all(const fs::path& folder, const Account& account) {
  struct stat info{};
  if (::stat(folder.c_str(), &info) != 0)
    return fail(Error::from_errno(errno, fmt::format("look at {}", folder.string())));
  // Without the right to give away, whether it can be written in is told by whoever writes.
  if (info.st_uid == account.user || !holds(Capability::kChown)) return {};
  std::error_code error;
  // The folder itself comes last: cut off in the middle, the next start goes on.
  for (fs::recursive_directory_iterator at(folder, error); !error && at != fs::recursive_directory_iterator();
       at.increment(error)) {
    if (auto given = give(at->path(), account); !given) return given;
  }
  if (error) return fail(Error::from_errno(error.value(), fmt::format("list {}", folder.string())));
  return give(folder, account);
}

}  // namespace

base::Status give_folder(const std::string& path, const Account& account) {
  if (auto made = make(path); !made) return fail(std::move(made.error()));
  return give_all(path, account);
}

base::Status give_socket_folder(const std::string& socket, const Account& account) {
  const fs::path folder = fs::path(socket).parent_path();
  if (folder.empty()) return {};
  auto made = make(folder);
  if (!made) return fail(std::move(made.error()));
  if (!*made && folder.filename() != kOurName) return {};
  return give_all(folder, account);
}

}  // namespace flowtally::rights
