#include "identity/socket_folder.hpp"

#include <sys/stat.h>

namespace flowtally::identity {

bool socket_folder_removed(const std::string& socket) noexcept {
  const std::size_t slash = socket.rfind('/');
  if (slash == std::string::npos || slash == 0) return false;
  struct stat info{};
  return ::stat(socket.substr(0, slash).c_str(), &info) == 0 && info.st_nlink == 0;
}

}  // namespace flowtally::identity
