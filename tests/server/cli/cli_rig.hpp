// This file is a command under test: its console writes into files, and it can be stopped as Ctrl-C does it.
#pragma once

#include <array>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/server.hpp"
#include "base/unique_fd.hpp"
#include "cli/commands.hpp"
#include "server/api/fake_source.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace flowtally::test {

/// What a file in memory holds by now.
[[nodiscard]] inline std::string text_in(const base::UniqueFd& file) {
  std::string text;
  std::array<char, 65536> piece{};
  for (;;) {
    const ssize_t count = ::pread(file.get(), piece.data(), piece.size(), static_cast<off_t>(text.size()));
    if (count <= 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(count));
  }
}

struct Terminal {
  base::UniqueFd out{::memfd_create("out", MFD_CLOEXEC)};
  base::UniqueFd err{::memfd_create("err", MFD_CLOEXEC)};
  base::UniqueFd stop{::eventfd(0, EFD_CLOEXEC)};
  cli::Console console{{.out_fd = out.get(), .err_fd = err.get(), .stop_fd = stop.get()}};

  /// As Ctrl-C.
  void press_stop() const { REQUIRE(::eventfd_write(stop.get(), 1) == 0); }
  [[nodiscard]] std::string printed() const { return text_in(out); }
  [[nodiscard]] std::string said() const { return text_in(err); }
};

/// An agent: the real API over a journal of its own.
struct Agent {
  TempDir folder{};
  FakeSource source{folder.path.string()};
  std::string socket = folder.path.string() + "/s.sock";
  std::unique_ptr<api::Server> server{};

  explicit Agent(std::size_t records = 5, std::size_t flows = 2) {
    source.append(records, flows);
    start();
  }
  void start() {
    auto started = api::Server::start({.socket_path = socket}, source);
    REQUIRE(started.has_value());
    server = std::move(*started);
  }
  void end() { server.reset(); }
};

}  // namespace flowtally::test
