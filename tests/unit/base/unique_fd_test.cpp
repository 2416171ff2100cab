// Goal: a descriptor is closed exactly once, by its owner. Method: real pipes; a descriptor is open if
// fcntl(F_GETFD) knows it, and a number that was closed is taken again by the next open, which shows a second
// close.
#include "base/unique_fd.hpp"

#include <array>
#include <type_traits>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "support/catch.hpp"

namespace flowtally::base {
namespace {

int open_one() {
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  return fd;
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

static_assert(!std::is_copy_constructible_v<UniqueFd> && !std::is_copy_assignable_v<UniqueFd>);
static_assert(std::is_nothrow_move_constructible_v<UniqueFd> && std::is_nothrow_move_assignable_v<UniqueFd>);
static_assert(!std::is_convertible_v<UniqueFd, int> && !std::is_convertible_v<int, UniqueFd>);

TEST_CASE("the owner closes its descriptor at its end", "[unit]") {
  const int fd = open_one();
  {
    const UniqueFd owner(fd);
    CHECK(owner.valid());
    CHECK(owner.get() == fd);
    CHECK(is_open(fd));
  }
  CHECK_FALSE(is_open(fd));
}

TEST_CASE("an owner of none is not valid and closes nothing", "[unit]") {
  const UniqueFd none;
  CHECK_FALSE(none.valid());
  CHECK(none.get() == -1);
}

TEST_CASE("moving leaves the source empty and closes nothing", "[unit]") {
  const int fd = open_one();
  UniqueFd from(fd);
  const UniqueFd to(std::move(from));
  CHECK_FALSE(from.valid());  // NOLINT(*Move, bugprone-use-after-move): what is promised
  CHECK(to.get() == fd);
  CHECK(is_open(fd));
}

TEST_CASE("moving over an owner closes what it had", "[unit]") {
  const int kept = open_one();
  const int replaced = open_one();
  UniqueFd from(kept);
  UniqueFd to(replaced);
  to = std::move(from);
  CHECK(to.get() == kept);
  CHECK(is_open(kept));
  CHECK_FALSE(is_open(replaced));
  CHECK_FALSE(from.valid());  // NOLINT(*Move, bugprone-use-after-move): what is promised
}

TEST_CASE("moving an owner onto itself changes nothing", "[unit]") {
  const int fd = open_one();
  UniqueFd owner(fd);
  UniqueFd& same = owner;
  owner = std::move(same);
  CHECK(owner.get() == fd);
  CHECK(is_open(fd));
}

TEST_CASE("release gives the descriptor away, once", "[unit]") {
  const int fd = open_one();
  {
    UniqueFd owner(fd);
    CHECK(owner.release() == fd);
    CHECK(owner.release() == -1);
    CHECK_FALSE(owner.valid());
  }
  CHECK(is_open(fd));
  ::close(fd);
}

TEST_CASE("reset closes what was held and takes the new one", "[unit]") {
  const int first = open_one();
  const int second = open_one();
  UniqueFd owner(first);
  owner.reset(second);
  CHECK_FALSE(is_open(first));
  CHECK(is_open(second));
  owner.reset();
  CHECK_FALSE(is_open(second));
  CHECK_FALSE(owner.valid());
}

TEST_CASE("a descriptor is never closed twice", "[unit]") {
  const int fd = open_one();
  UniqueFd owner(fd);
  owner.reset();
  const UniqueFd reused(open_one());  // the lowest free number: the same one
  REQUIRE(reused.get() == fd);
  owner.reset();
  {
    const UniqueFd moved(std::move(owner));
  }
  CHECK(is_open(fd));
}

TEST_CASE("closing an end of a pipe is seen at the other", "[unit]") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  writer.reset();
  char byte = 0;
  CHECK(::read(reader.get(), &byte, 1) == 0);
}

}  // namespace
}  // namespace flowtally::base
