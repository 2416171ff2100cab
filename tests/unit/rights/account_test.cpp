// Goal: users are found by name and by number, and what is neither is told. Method: users that every Debian
// has.
#include "rights/account.hpp"

#include <grp.h>
#include <unistd.h>

#include "rights/capabilities.hpp"
#include "support/catch.hpp"
#include "unit/rights/in_child.hpp"

namespace flowtally::test {

TEST_CASE("a user is a name of the host, a number, or two numbers", "[unit]") {
  CHECK(rights::find_account("root").value() == rights::Account{.user = 0, .group = 0, .name = "root"});
  CHECK(rights::find_account("0").value().group == 0);
  const auto both = rights::find_account("65532:65531");
  REQUIRE(both);
  CHECK(both->user == 65532);
  CHECK(both->group == 65531);
  // A number that no database knows is its own group.
  CHECK(rights::find_account("3123456789").value().group == 3123456789U);
}

TEST_CASE("what is no user is refused with what to do", "[unit]") {
  for (const char* const text : {"", ":", "1:", ":1", "1:x", "4294967295", "4294967296", "-1", "root:root"}) {
    INFO(text);
    const auto account = rights::find_account(text);
    REQUIRE_FALSE(account);
    CHECK_FALSE(account.error().remedy().empty());
  }
  CHECK(rights::find_account("nobody-has-this-name").error().code() == base::ErrorCode::kNotFound);
}

TEST_CASE("groups are found by name and number", "[unit]") {
  CHECK(rights::find_group("root").value() == 0);
  CHECK(rights::find_group("4711").value() == 4711);
  CHECK(rights::find_group("nobody-has-this-group").error().code() == base::ErrorCode::kNotFound);
}

TEST_CASE("becoming a user changes all its numbers, and there is no way back", "[unit]") {
  if (::geteuid() != 0) SKIP("needs root: becomes another user");
  CHECK(in_child([] {
          if (!rights::become({.user = 65532, .group = 65531, .name = "test"}, {4711})) return 1;
          uid_t users[3] = {};
          gid_t groups[3] = {};
          gid_t more[8] = {};
          if (::getresuid(&users[0], &users[1], &users[2]) != 0) return 2;
          if (::getresgid(&groups[0], &groups[1], &groups[2]) != 0) return 3;
          for (const uid_t user : users) {
            if (user != 65532) return 4;
          }
          for (const gid_t group : groups) {
            if (group != 65531) return 5;
          }
          if (::getgroups(8, more) != 1 || more[0] != 4711) return 6;
          if (::setresuid(0, 0, 0) == 0) return 7;
          return rights::may_become({.user = 0, .group = 0, .name = "root"}) ? 8 : 0;
        }) == 0);
}

TEST_CASE("groups that cannot be had are told, not left out", "[unit]") {
  if (::geteuid() != 0) SKIP("needs root: changes its groups");
  const auto without_the_right = [](const std::vector<gid_t>& held, const std::vector<gid_t>& wanted) {
    return in_child([&] {
      if (::setgroups(held.size(), held.data()) != 0 || !rights::keep_only({})) return 1;
      const auto became = rights::become({.user = 0, .group = 0, .name = "root"}, wanted);
      if (!became) return became.error().code() == base::ErrorCode::kPermission ? 2 : 3;
      return rights::other_groups() == held ? 0 : 4;
    });
  };
  CHECK(without_the_right({}, {4711}) == 2);
  CHECK(without_the_right({27}, {4711}) == 2);
  CHECK(without_the_right({27, 4711}, {4711}) == 0);
  CHECK(without_the_right({27}, {0}) == 0);  // its own
  CHECK(without_the_right({27}, {}) == 0);
}

}  // namespace flowtally::test
