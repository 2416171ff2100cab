// This file gives files away as root, in folders that others may be able to write in meanwhile. Each file is
// opened first, without following a link and without any right but to name it (O_PATH), and what was opened
// is looked at and given: no name is looked up twice. Before anything is given all is looked at.
#include "rights/folders.hpp"

#include <algorithm>
#include <cerrno>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <system_error>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "rights/capabilities.hpp"

namespace flowtally::rights {
namespace {

namespace fs = std::filesystem;
using base::Error;
using base::ErrorCode;
using base::fail;
using base::UniqueFd;

constexpr mode_t kFolderMode = 0755;
/// Who talked to whom is nobody else's business.
constexpr mode_t kStateMode = 0750;
constexpr const char* kOurName = "flowtally";
/// Every ext4 has it at its top, and it is the file system's.
constexpr std::string_view kFileSystemsOwn = "lost+found";
/// Ours are four deep.
constexpr int kDepthMax = 8;

/// True: it was not there before.
base::Result<bool> make(const fs::path& path, mode_t mode = kFolderMode) {
  std::error_code error;
  if (fs::is_directory(path, error)) return false;
  if (path.has_parent_path() && path.parent_path() != path) {
    if (auto above = make(path.parent_path()); !above) return above;
  }
  if (::mkdir(path.c_str(), mode) == 0) return true;
  if (errno == EEXIST) return false;
  return fail(Error::from_errno(errno, fmt::format("make the folder {}", path.string())));
}

/// Something in a folder: open, and what it is.
struct Entry {
  UniqueFd fd;
  struct stat info{};
  std::string path;  ///< for messages
};

base::Result<Entry> open_entry(int folder, const char* name, int flags, std::string path) {
  Entry entry{.fd = UniqueFd(::openat(folder, name, flags | O_CLOEXEC)), .path = std::move(path)};
  if (!entry.fd.valid() || ::fstat(entry.fd.get(), &entry.info) != 0)
    return fail(Error::from_errno(errno, fmt::format("open {}", entry.path)));
  return entry;
}

using Visit = std::function<base::Status(const Entry&)>;

/// Calls `visit` for all that is in a folder, what is deeper first; not for the folder. At its top `is_own`
/// says whether an entry is one of ours.
class Walk {
 public:
  using IsOwn = std::function<bool(std::string_view name, const Entry&)>;

  Walk(const Account& account, IsOwn is_own) : account_(account), is_own_(std::move(is_own)) {}

  base::Status operator()(const Entry& folder, const Visit& visit, int depth = 0) const {
    // Opened again: one that is to be listed cannot be O_PATH.
    UniqueFd list(::openat(folder.fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<DIR, int (*)(DIR*)> names(list.valid() ? ::fdopendir(list.get()) : nullptr,
                                                    ::closedir);
    if (!names) return fail(Error::from_errno(errno, fmt::format("list {}", folder.path)));
    static_cast<void>(list.release());
    for (;;) {
      errno = 0;
      const dirent* const found = ::readdir(names.get());
      if (found == nullptr) {
        if (errno == 0) return {};
        return fail(Error::from_errno(errno, fmt::format("list {}", folder.path)));
      }
      const std::string_view name = found->d_name;
      if (name == "." || name == ".." || name == kFileSystemsOwn) continue;
      auto entry = open_entry(folder.fd.get(), found->d_name, O_PATH | O_NOFOLLOW,
                              fmt::format("{}/{}", folder.path, name));
      if (!entry) {
        if (entry.error().code() == ErrorCode::kNotFound) continue;  // gone since
        return fail(std::move(entry.error()));
      }
      if (auto step = one(name, *entry, visit, depth); !step) return step;
    }
  }

 private:
  static std::unexpected<Error> refused(std::string what) {
    return fail(Error(ErrorCode::kInvalidArgument, std::move(what))
                    .advise("Give flowtally a folder of its own, or put that elsewhere"));
  }

  [[nodiscard]] base::Status one(std::string_view name, const Entry& entry, const Visit& visit,
                                 int depth) const {
    if (depth == 0 && !is_own_(name, entry))
      return refused(fmt::format("{} is not flowtally's, and its folder is another user's: it is not taken",
                                 entry.path));
    if (S_ISDIR(entry.info.st_mode)) {
      if (depth == kDepthMax)
        return refused(fmt::format("{} is deeper than any folder of flowtally's", entry.path));
      if (auto inside = (*this)(entry, visit, depth + 1); !inside) return inside;
    } else if (entry.info.st_nlink > 1 && entry.info.st_uid != account_.user) {
      return refused(fmt::format("{} has a second name elsewhere: it is not given away", entry.path));
    }
    return visit(entry);
  }

  const Account& account_;
  IsOwn is_own_;
};

base::Status give(const Entry& entry, const Account& account) {
  if (::fchownat(entry.fd.get(), "", account.user, account.group, AT_EMPTY_PATH) == 0) return {};
  return fail(Error::from_errno(errno, fmt::format("give {} to the user {}", entry.path, account.name)));
}

base::Status look_at_all(const Entry& folder, const Walk& walk) {
  return walk(folder, [](const Entry&) { return base::Status{}; });
}

base::Status give_all(const Entry& folder, const Account& account, const Walk& walk) {
  if (auto looked = look_at_all(folder, walk); !looked) return looked;
  // The folder itself comes last: cut off in the middle, the next start goes on.
  if (auto given = walk(folder, [&](const Entry& entry) { return give(entry, account); }); !given)
    return given;
  return give(folder, account);
}

/// Without the right to give away, whether it can be written in is told by whoever writes.
bool is_to_be_given(const Entry& folder, const Account& account) {
  return folder.info.st_uid != account.user && holds(Capability::kChown);
}

/// A tmpfs of a container, or /tmp: the account can write there as it is.
bool is_everybodys(const Entry& folder) {
  return (folder.info.st_mode & S_ISVTX) != 0 && (folder.info.st_mode & S_IWOTH) != 0;
}

bool bears(std::string_view name, std::string_view own) {
  return name == own || (name.starts_with(own) && name[own.size()] == '.');
}

Walk::IsOwn bears_one_of(std::span<const std::string_view> own_names) {
  return [own_names](std::string_view name, const Entry&) {
    return std::ranges::any_of(own_names, [name](std::string_view own) { return bears(name, own); });
  };
}

}  // namespace

base::Status give_folder(const std::string& path, const Account& account,
                         std::span<const std::string_view> own_names) {
  if (auto made = make(path, kStateMode); !made) return fail(std::move(made.error()));
  auto folder = open_entry(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY, path);
  if (!folder) return fail(std::move(folder.error()));
  if (!is_to_be_given(*folder, account) || is_everybodys(*folder)) return {};
  return give_all(*folder, account, Walk(account, bears_one_of(own_names)));
}

base::Status may_give_folder(const std::string& path, const Account& account,
                             std::span<const std::string_view> own_names) {
  auto folder = open_entry(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY, path);
  if (!folder) {
    if (folder.error().code() == ErrorCode::kNotFound) return {};  // it is made
    return fail(std::move(folder.error()));
  }
  if (!is_to_be_given(*folder, account) || is_everybodys(*folder)) return {};
  return look_at_all(*folder, Walk(account, bears_one_of(own_names)));
}

base::Status give_socket_folder(const std::string& socket, const Account& account) {
  const fs::path path = fs::path(socket).parent_path();
  if (path.empty()) return {};
  auto made = make(path);
  if (!made) return fail(std::move(made.error()));
  if (!*made && path.filename() != kOurName) return {};
  auto folder = open_entry(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY, path.string());
  if (!folder) return fail(std::move(folder.error()));
  if (!is_to_be_given(*folder, account)) return {};
  auto given = give_all(*folder, account, Walk(account, [](std::string_view, const Entry& entry) {
    return S_ISSOCK(entry.info.st_mode);
  }));
  if (!given && given.error().code() == ErrorCode::kInvalidArgument) return {};  // somebody's home
  return given;
}

}  // namespace flowtally::rights
