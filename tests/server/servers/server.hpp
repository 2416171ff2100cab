// This file starts the real servers that records are streamed to (scripts/servers), and asks them over HTTP
// what they have.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace flowtally::test {

/// A running server on 127.0.0.1. The destructor kills it and removes all that it wrote. Where it cannot be
/// had on this machine, the test is skipped with the script's sentence.
class Server {
 public:
  explicit Server(const std::string& name);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] std::string url(const std::string& path = "") const;
  [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }
  /// Ends it at once, as a crash would.
  void kill();
  /// Starts it again, with its port and with what it kept.
  void start();

 private:
  const std::string name_;
  std::filesystem::path directory_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

struct WebAnswer {
  long status = 0;
  std::string body{};
};

struct WebQuestion {
  std::string url{};
  std::string method{"GET"};
  std::string body{};
  std::vector<std::string> headers{};
  std::string login{};  ///< "user:password"
};

/// Fails the test where there is no answer at all.
[[nodiscard]] WebAnswer ask(const WebQuestion& question);

}  // namespace flowtally::test
