#include "cli/console.hpp"

#include <array>
#include <csignal>
#include <string>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

struct Pipe {
  base::UniqueFd read{};
  base::UniqueFd write{};
  Pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  [[nodiscard]] std::string taken() const {
    std::array<char, 4096> bytes{};
    const ssize_t count = ::read(read.get(), bytes.data(), bytes.size());
    return {bytes.data(), static_cast<std::size_t>(count < 0 ? 0 : count)};
  }
};

}  // namespace

TEST_CASE("what is printed and what is said goes its way, without colour and progress in pipes", "[unit]") {
  const Pipe out;
  const Pipe err;
  cli::Console console({.out_fd = out.write.get(), .err_fd = err.write.get()});
  CHECK_FALSE(console.colour());
  CHECK(console.print("row\n"));
  console.show_progress("50 %");
  console.say("nothing matches");
  CHECK(out.taken() == "row\n");
  CHECK(err.taken() == "flowtally: nothing matches\n");
  CHECK_FALSE(console.stopped());
}

TEST_CASE("a reader that went away is told by its errno, once", "[unit]") {
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
  Pipe out;
  cli::Console console({.out_fd = out.write.get()});
  out.read.reset();
  CHECK_FALSE(console.print("row\n"));
  CHECK(console.print_errno() == EPIPE);
  CHECK_FALSE(console.print("row\n"));
}

TEST_CASE("the stop ends a print that nobody reads", "[unit]") {
  const Pipe out;
  const base::UniqueFd stop(::eventfd(1, EFD_CLOEXEC));
  cli::Console console({.out_fd = out.write.get(), .stop_fd = stop.get()});
  CHECK_FALSE(console.print(std::string(std::size_t{1} << 20U, 'x')));  // no pipe holds that
  CHECK(console.print_errno() == 0);
  CHECK(console.stopped());
}

}  // namespace flowtally::test
