// This file makes the sockets that the API listens on, and removes what it made.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace flowtally::api {

/// A listening socket. The destructor closes it, and removes its file if it is still the one that was made.
class Listener {
 public:
  /// The file appears under its name when it has its mode and owner and is listened on, so that nobody meets
  /// it before. kResource: somebody listens there already. An empty group means this process'.
  [[nodiscard]] static base::Result<Listener> on_path(const std::string& path, const std::string& group);
  /// "127.0.0.1:80", "[::1]:80": numbers, no names. kPermission: not loopback though it must be.
  [[nodiscard]] static base::Result<Listener> on_tcp(const std::string& address, bool beyond_loopback);
  /// What systemd has passed, each a Unix or TCP socket that is listened on; none where it did not.
  [[nodiscard]] static base::Result<std::vector<Listener>> from_systemd();

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&& other) noexcept;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] bool local() const noexcept { return local_; }
  /// The path, or address and port as they came out.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

 private:
  Listener(base::UniqueFd fd, bool local) : fd_(std::move(fd)), local_(local) {}
  [[nodiscard]] base::Status look_up_name();
  void remove_file() noexcept;

  base::UniqueFd fd_;
  bool local_;
  std::string name_{};
  std::uint16_t port_ = 0;
  std::string made_path_{};  ///< empty: nothing to remove
  dev_t made_device_ = 0;
  ino_t made_inode_ = 0;
};

}  // namespace flowtally::api
