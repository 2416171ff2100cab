// Goal: capabilities that are not kept are gone from every set, for good. Method: children that look at
// /proc.
#include "rights/capabilities.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <unistd.h>

#include "support/catch.hpp"
#include "unit/rights/in_child.hpp"

namespace flowtally::test {
namespace {

using rights::Capability;

/// A number of /proc/self/status, whose name ends with a colon.
std::uint64_t status_number(const char* name, int base) {
  std::FILE* const file = std::fopen("/proc/self/status", "re");
  std::array<char, 256> line{};
  std::uint64_t number = ~std::uint64_t{0};
  while (file != nullptr && std::fgets(line.data(), line.size(), file) != nullptr) {
    if (std::strncmp(line.data(), name, std::strlen(name)) == 0)
      number = std::strtoull(line.data() + std::strlen(name), nullptr, base);
  }
  if (file != nullptr) std::fclose(file);
  return number;
}

}  // namespace

TEST_CASE("only what is kept is left, in every set", "[unit]") {
  if (::geteuid() != 0 || !rights::holds(Capability::kNetAdmin)) SKIP("needs root: gives up capabilities");
  constexpr std::array kKept = {Capability::kNetAdmin, Capability::kBpf};
  constexpr std::uint64_t kBits = (std::uint64_t{1} << 12U) | (std::uint64_t{1} << 39U);
  CHECK(in_child([&kKept] {
          rights::bound_to(kKept);
          if (!rights::keep_only(kKept)) return 1;
          if (status_number("CapEff:", 16) != kBits || status_number("CapPrm:", 16) != kBits) return 2;
          if (status_number("CapInh:", 16) != 0 || status_number("CapAmb:", 16) != 0) return 3;
          if (status_number("CapBnd:", 16) != kBits) return 4;
          if (!rights::holds(Capability::kNetAdmin) || rights::holds(Capability::kSetUid)) return 5;
          // A second call cannot bring back what the first gave up.
          constexpr std::array kMore = {Capability::kSetUid, Capability::kBpf};
          if (!rights::keep_only(kMore)) return 6;
          return status_number("CapEff:", 16) == std::uint64_t{1} << 39U ? 0 : 7;
        }) == 0);
}

TEST_CASE("none kept is none left", "[unit]") {
  CHECK(in_child([] {
          if (!rights::keep_only({}) || !rights::forbid_new_privileges()) return 1;
          if (status_number("CapEff:", 16) != 0 || status_number("CapPrm:", 16) != 0) return 2;
          if (status_number("NoNewPrivs:", 10) != 1) return 3;
          return rights::held_text() == "=" ? 0 : 4;
        }) == 0);
}

}  // namespace flowtally::test
