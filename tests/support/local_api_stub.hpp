// This file stands in for tailscaled's LocalAPI: HTTP on a Unix socket with the answers that a test wants,
// right or wrong, and a bus that says what the test says. Nothing in it needs Catch2.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"

namespace flowtally::test {

struct StubReply {
  int status = 200;
  std::string body{};
  bool chunked = true;
  bool held = false;  ///< half of the body, then nothing until release(), or until the client has gone
  std::optional<std::size_t> cut_after{};  ///< closes the connection after so many bytes of the body
  std::size_t times = 1;                   ///< the body is sent so often
};

/// Listens from the beginning. Every question has a thread; the destructor ends them all.
class LocalApiStub {
 public:
  LocalApiStub();
  LocalApiStub(const LocalApiStub&) = delete;
  LocalApiStub& operator=(const LocalApiStub&) = delete;
  ~LocalApiStub();

  [[nodiscard]] const std::string& socket() const noexcept { return socket_; }

  /// What /localapi/v0/NAME answers from now on; what nobody set is a 404. The bus is "watch-ipn-bus": of a
  /// 200 the body is sent at once and the connection stays.
  void reply(const std::string& name, StubReply reply);
  /// Lets all answers that are held go on, and those that come.
  void release();

  /// One line to everybody on the bus.
  void send_bus(std::string_view line);
  /// Ends the bus, for those who are on it now.
  void end_bus();

  /// As if tailscaled ended: the socket is gone, and so are all connections.
  void disappear();
  void appear();
  /// Leaves the socket there with nobody behind it.
  void abandon();

  /// The questions for NAME so far, each with its head as it came.
  [[nodiscard]] std::vector<std::string> questions(const std::string& name) const;
  /// Waits until there are so many; false at the deadline of 20 s.
  [[nodiscard]] bool wait_for(const std::string& name, std::size_t count);

 private:
  void accept_all();
  void serve(int fd);
  void answer(int fd, const StubReply& reply);
  void stay_on_bus(int fd, const StubReply& reply);
  void stop(bool remove);

  std::string folder_;
  std::string socket_;

  base::UniqueFd listener_{};
  base::UniqueFd stop_fd_{};     ///< readable: the stub is stopping
  base::UniqueFd release_fd_{};  ///< readable: nothing is held
  std::thread acceptor_{};

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable asked_;
  std::map<std::string, StubReply> replies_{};
  std::map<std::string, std::vector<std::string>> questions_{};
  std::vector<int> open_{};  ///< connections, each closed by its thread
  std::vector<int> bus_{};   ///< those of them that are on the bus
  std::vector<std::thread> threads_{};
};

}  // namespace flowtally::test
