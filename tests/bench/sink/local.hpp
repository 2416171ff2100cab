// This file is the other end of the benchmarks of sinks, on loopback and in processes of their own: receivers
// that say yes to everything, and one that only counts lines.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.hpp"
#include "base/unique_fd.hpp"
#include "bench/journal/traffic.hpp"
#include "journal/journal.hpp"
#include "query/terms.hpp"
#include "support/http_receiver.hpp"

namespace flowtally::bench {

inline double seconds_of(const rusage& usage) {
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

/// Between two looks.
inline void pause(std::chrono::milliseconds time = std::chrono::milliseconds(1)) {
  ::poll(nullptr, 0, static_cast<int>(time.count()));
}

/// Of this process, all threads.
inline double process_cpu_seconds() {
  rusage usage{};
  FLOWTALLY_CHECK(::getrusage(RUSAGE_SELF, &usage) == 0);
  return seconds_of(usage);
}

/// What a receiver says to a body: for the bulk API as many items as there are lines of documents.
inline test::HttpSaid yes(const test::HttpHeard& heard) {
  if (heard.method == "GET") return {.body = R"({"version":{"number":"8.11.0"}})"};
  if (heard.target.find("_bulk") == std::string::npos) return {.body = R"({"text":"Success","code":0})"};
  const auto lines = static_cast<std::size_t>(std::ranges::count(heard.body, '\n')) / 2;
  std::string items;
  for (std::size_t at = 0; at < lines; ++at)
    items += at == 0 ? R"({"create":{"status":201}})" : R"(,{"create":{"status":201}})";
  return {.body = R"({"took":1,"errors":false,"items":[)" + items + "]}"};
}

/// Lives as long as this process. Its URL.
inline std::string start_http_receiver(const test::HttpReceiver::Handler& handler = yes) {
  std::array<int, 2> pipe{};
  FLOWTALLY_CHECK(::pipe(pipe.data()) == 0);
  if (::fork() == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const test::HttpReceiver receiver(handler);
    const std::string url = receiver.url();
    FLOWTALLY_CHECK(::write(pipe[1], url.data(), url.size()) == static_cast<ssize_t>(url.size()));
    for (;;) ::pause();
  }
  std::array<char, 64> url{};
  const ssize_t size = ::read(pipe[0], url.data(), url.size());
  FLOWTALLY_CHECK(size > 0);
  return {url.data(), static_cast<std::size_t>(size)};
}

/// Counts the lines of all TCP connections, in a process of its own.
class LineCounter {
 public:
  LineCounter() {
    void* const shared = ::mmap(nullptr, sizeof(std::atomic<std::uint64_t>), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FLOWTALLY_CHECK(shared != MAP_FAILED);
    lines_ = new (shared) std::atomic<std::uint64_t>(0);
    const base::UniqueFd listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    FLOWTALLY_CHECK(::bind(listening.get(), any, size) == 0 && ::listen(listening.get(), 8) == 0 &&
                    ::getsockname(listening.get(), any, &size) == 0);
    port_ = ntohs(address.sin_port);
    if (::fork() == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (;;) count(::accept(listening.get(), nullptr, nullptr));
    }
  }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] std::uint64_t lines() const noexcept { return lines_->load(); }
  void clear() noexcept { lines_->store(0); }

 private:
  void count(int fd) {
    const base::UniqueFd connection(fd);
    std::string piece(std::size_t{256} << 10U, '\0');
    for (ssize_t got = 0; (got = ::recv(fd, piece.data(), piece.size(), 0)) > 0;)
      *lines_ += static_cast<std::uint64_t>(std::count(piece.begin(), piece.begin() + got, '\n'));
  }

  std::atomic<std::uint64_t>* lines_ = nullptr;
  std::uint16_t port_ = 0;
};

inline journal::Journal open_journal(const std::string& directory) {
  auto opened = journal::Journal::open({.directory = directory,
                                        .sync = journal::SyncPolicy::kNever,
                                        .seal = {.terms_of = query::terms_of},
                                        .describe = query::describe});
  FLOWTALLY_CHECK(opened.has_value());
  return std::move(*opened);
}

/// Windows of kFlowsPerWindow flows; the number behind the last record.
inline std::uint64_t fill(journal::Journal& journal, std::uint64_t windows) {
  Traffic traffic;
  for (std::uint64_t window = 1; window <= windows; ++window)
    FLOWTALLY_CHECK(journal.append(traffic.next(window).entries).has_value());
  return journal.state().next;
}

}  // namespace flowtally::bench
