#include "support/process.hpp"

#include <array>
#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "test_paths.h"

namespace flowtally::test {
namespace {

struct Pipe {
  base::UniqueFd read;
  base::UniqueFd write;
};

/// A child of its own may hold its standard streams a little longer.
constexpr std::chrono::seconds kLastWords{1};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  return {.read = base::UniqueFd(ends[0]), .write = base::UniqueFd(ends[1])};
}

/// Appends what waits; false at the end.
bool take(base::UniqueFd& from, std::string& to) {
  std::array<char, 65536> part;
  const auto length = ::read(from.get(), part.data(), part.size());
  if (length > 0) {
    to.append(part.data(), static_cast<std::size_t>(length));
    return true;
  }
  from.reset();
  return false;
}

}  // namespace

Program::Program(const std::vector<std::string>& arguments, const std::vector<std::string>& environment,
                 const char* executable) {
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  std::vector<char*> argv{const_cast<char*>("flowtally")};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    ::dup2(out.write.get(), STDOUT_FILENO);
    ::dup2(err.write.get(), STDERR_FILENO);
    for (const std::string& variable : environment) ::putenv(const_cast<char*>(variable.c_str()));
    ::execv(executable != nullptr ? executable : FLOWTALLY_PROGRAM, argv.data());
    ::_exit(127);
  }
  out_fd_ = std::move(out.read);
  err_fd_ = std::move(err.read);
}

Program::~Program() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) return;
  const auto end = std::chrono::steady_clock::now() + kLastWords;
  while (pump(10) && std::chrono::steady_clock::now() < end) continue;
  check_calls(status);
}

void Program::check_calls(int status) const {
  // A filter's verdict is a fault of the program's, whatever end the test is waiting for.
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
    FAIL_CHECK("it made a system call that it may not make; stderr:\n" << err_);
  if (err_.find(fmt::format("was killed by signal {} ", SIGSYS)) != std::string::npos)
    FAIL_CHECK("its capturer made a system call that it may not make; stderr:\n" << err_);
}

bool Program::pump(int timeout_ms) {
  std::array<pollfd, 2> ends{{{.fd = out_fd_.get(), .events = POLLIN, .revents = 0},
                              {.fd = err_fd_.get(), .events = POLLIN, .revents = 0}}};
  if (!out_fd_.valid() && !err_fd_.valid()) return false;
  if (::poll(ends.data(), ends.size(), timeout_ms) <= 0) return true;
  if (ends[0].revents != 0) take(out_fd_, out_);
  if (ends[1].revents != 0) take(err_fd_, err_);
  return true;
}

void Program::wait_for_output(const std::string& text, std::chrono::seconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (out_.find(text) == std::string::npos && err_.find(text) == std::string::npos) {
    const bool open = pump(50);
    if (open && std::chrono::steady_clock::now() < end) continue;
    FAIL("\"" << text << "\" did not come; stdout:\n" << out_ << "\nstderr:\n" << err_);
  }
}

void Program::wait_for_times(const std::string& text, std::size_t times, std::chrono::seconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  std::size_t found = 0;
  std::size_t at = 0;  // what is before was searched
  for (;;) {
    for (std::size_t next = 0; (next = out_.find(text, at)) != std::string::npos; at = next + text.size())
      ++found;
    if (found >= times) return;
    const bool open = pump(50);
    if (open && std::chrono::steady_clock::now() < end) continue;
    FAIL("\"" << text << "\" came " << found << " times, not " << times << "; stderr:\n" << err_);
  }
}

bool Program::reads_within(std::chrono::milliseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (out_.find('\n') == std::string::npos && std::chrono::steady_clock::now() < end) {
    if (!pump(10)) break;
  }
  return out_.find('\n') != std::string::npos;
}

void Program::signal(int number) const { REQUIRE(::kill(pid_, number) == 0); }

std::size_t Program::unread_out() const {
  int waiting = 0;
  REQUIRE(::ioctl(out_fd_.get(), FIONREAD, &waiting) == 0);
  return static_cast<std::size_t>(waiting);
}

bool Program::out_is_full() const {
  // Only the end that writes can be asked.
  const base::UniqueFd end(
      ::open(fmt::format("/proc/self/fd/{}", out_fd_.get()).c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  REQUIRE(end.get() >= 0);
  pollfd asked{.fd = end.get(), .events = POLLOUT, .revents = 0};
  REQUIRE(::poll(&asked, 1, 0) >= 0);
  return (asked.revents & POLLOUT) == 0;
}

int Program::wait(std::chrono::seconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (pump(50)) {
    if (std::chrono::steady_clock::now() >= end) FAIL("it did not end; stderr:\n" << err_);
  }
  int status = 0;
  REQUIRE(::waitpid(pid_, &status, 0) == pid_);
  pid_ = -1;
  check_calls(status);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace flowtally::test
