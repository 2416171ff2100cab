// What the underlay's programs may cost: the verifier's work, which decides whether old kernels load them,
// and the machine code.
#include <array>
#include <cstring>
#include <string_view>

#include <bpf/bpf.h>

#include "bpf/underlay/underlay_rig.hpp"
#include "support/catch.hpp"

namespace flowtally::test {
namespace {

// About one and a half times what Linux 6.18 shows for the costliest of the four: 77,825 and 7,444.
// Linux 5.10 takes them too.
constexpr std::uint32_t kVerifiedInstructionsMax = 110'000;
constexpr std::uint32_t kJitedBytesMax = 11'000;

TEST_CASE("every program of the underlay stays within its budget of verified instructions and machine code") {
  const UnderlayRig rig;
  for (const auto direction : {capture::Direction::kTx, capture::Direction::kRx}) {
    for (const auto framing : {UnderlayRig::Framing::kBare, UnderlayRig::Framing::kEthernet}) {
      bpf_prog_info info{};
      std::uint32_t bytes = sizeof(info);
      REQUIRE(bpf_prog_get_info_by_fd(rig.program_fd(direction, framing), &info, &bytes) == 0);
      INFO(info.name);
      CHECK(info.verified_insns <= kVerifiedInstructionsMax);  // 0 before Linux 5.16
      CHECK(info.jited_prog_len <= kJitedBytesMax);
    }
  }
}

}  // namespace
}  // namespace flowtally::test
