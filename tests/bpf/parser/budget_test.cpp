// What the programs may cost: the verifier's work, which decides whether old kernels load them, and the
// machine code.
#include "outcome.hpp"
#include "support/catch.hpp"
#include "support/prog_run.hpp"

namespace flowtally::support {
namespace {

// About one and a half times what Linux 6.18 shows for the costliest of the four: 30,619 and 6,456. Old
// kernels end at 1,000,000 verified instructions, and each 100,000 are a quarter of a second at load.
constexpr std::uint32_t kVerifiedInstructionsMax = 46000;
constexpr std::uint32_t kJitedBytesMax = 9700;

TEST_CASE("every program stays within its budget of verified instructions and machine code") {
  const auto program = load_or_skip();
  for (const Hook hook : kHooks) {
    const ProgramSize size = program.size_of(hook);
    INFO(name_of(hook));
    CHECK(size.verified_instructions > 0);
    CHECK(size.verified_instructions <= kVerifiedInstructionsMax);
    CHECK(size.jited_bytes <= kJitedBytesMax);
  }
}

}  // namespace
}  // namespace flowtally::support
