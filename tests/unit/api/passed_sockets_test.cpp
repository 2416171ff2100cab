// Sockets are passed as descriptors 3 and up, which the test program uses itself: each case is a child.
#include "api/passed_sockets.hpp"

#include <functional>
#include <string>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/catch.hpp"

namespace flowtally::api {
namespace {

constexpr int kFailed = -1;

/// What `call` returns in a child whose descriptors from 3 on are copies of standard input, and whose
/// variables are set.
int in_child(const std::string& process, const std::string& count, int descriptors,
             const std::function<int()>& call) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const std::string own = std::to_string(::getpid());
    ::setenv("LISTEN_PID", process == "own" ? own.c_str() : process.c_str(), 1);
    ::setenv("LISTEN_FDS", count.c_str(), 1);
    if (process == "none") ::unsetenv("LISTEN_PID");
    for (int fd = kFirstPassedSocket; fd < kFirstPassedSocket + 2 * kPassedSocketsMax; ++fd) ::close(fd);
    for (int fd = kFirstPassedSocket; fd < kFirstPassedSocket + descriptors; ++fd) ::dup2(STDIN_FILENO, fd);
    ::_exit(call() & 0xff);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status) == (kFailed & 0xff) ? kFailed : WEXITSTATUS(status);
}

int count_of_passed() {
  const auto count = passed_sockets();
  return count ? *count & 0x7f : kFailed;  // a count below zero is not to look like a refusal
}

TEST_CASE("sockets are taken by the process they are passed to, and by it only", "[unit]") {
  CHECK(in_child("own", "2", 2, count_of_passed) == 2);
  CHECK(in_child("own", "0", 0, count_of_passed) == 0);
  CHECK(in_child("1", "2", 2, count_of_passed) == 0);
  CHECK(in_child("none", "2", 2, count_of_passed) == 0);
}

TEST_CASE("what makes no sense is refused", "[unit]") {
  CHECK(in_child("own", "2", 1, count_of_passed) == kFailed);  // the second is no descriptor
  CHECK(in_child("own", "5", 5, count_of_passed) == kFailed);  // one too many
  CHECK(in_child("own", "-1", 1, count_of_passed) == kFailed);
  CHECK(in_child("own", "", 1, count_of_passed) == kFailed);
  CHECK(in_child("own", "2x", 2, count_of_passed) == kFailed);
  CHECK(in_child("me", "1", 1, count_of_passed) == kFailed);
}

TEST_CASE("a program that is started later does not get them, and who asks again does", "[unit]") {
  CHECK(in_child("own", "1", 1, [] {
          if (::fcntl(kFirstPassedSocket, F_GETFD) != 0) return kFailed;
          if (count_of_passed() != 1 || count_of_passed() != 1) return kFailed;
          return ::fcntl(kFirstPassedSocket, F_GETFD);
        }) == FD_CLOEXEC);
}

TEST_CASE("a socket is of use if it is a stream and listened on", "[unit]") {
  struct Case {
    int family, type;
    bool listen;
    PassedSocket kind;
  };
  const auto [family, type, listen, kind] =
      GENERATE(Case{AF_UNIX, SOCK_STREAM, true, PassedSocket::kUnix},
               Case{AF_INET, SOCK_STREAM, true, PassedSocket::kTcp},
               Case{AF_INET6, SOCK_STREAM, true, PassedSocket::kTcp},
               Case{AF_UNIX, SOCK_STREAM, false, PassedSocket::kUseless},
               Case{AF_UNIX, SOCK_SEQPACKET, true, PassedSocket::kUseless},
               Case{AF_INET, SOCK_DGRAM, false, PassedSocket::kUseless});
  INFO("family " << family << ", type " << type << (listen ? ", listened on" : ""));
  const int fd = ::socket(family, type, 0);
  if (fd < 0 && family == AF_INET6) SKIP("this kernel has no IPv6");
  REQUIRE(fd >= 0);
  if (listen && family == AF_UNIX) {
    const sockaddr own{.sa_family = AF_UNIX, .sa_data = {}};
    REQUIRE(::bind(fd, &own, sizeof(sa_family_t)) == 0);  // the kernel finds a name
  }
  if (listen) REQUIRE(::listen(fd, 1) == 0);
  CHECK(kind_of_socket(fd) == kind);
  ::close(fd);
}

TEST_CASE("a file is no socket", "[unit]") {
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  CHECK(kind_of_socket(fd) == PassedSocket::kUseless);
  CHECK(kind_of_socket(-1) == PassedSocket::kUseless);
  ::close(fd);
}

}  // namespace
}  // namespace flowtally::api
