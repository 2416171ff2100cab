#include "rights/capabilities.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>

#include <sys/capability.h>
#include <sys/prctl.h>

namespace flowtally::rights {
namespace {

struct Free {
  void operator()(void* object) const noexcept { ::cap_free(object); }
};
using State = std::unique_ptr<std::remove_pointer_t<cap_t>, Free>;

base::Error failure(const char* what) { return base::Error::from_errno(errno, what); }

}  // namespace

bool holds(Capability capability) noexcept {
  const State state(::cap_get_proc());
  cap_flag_value_t value = CAP_CLEAR;
  return state &&
         ::cap_get_flag(state.get(), static_cast<cap_value_t>(capability), CAP_EFFECTIVE, &value) == 0 &&
         value == CAP_SET;
}

void bound_to(std::span<const Capability> kept) noexcept {
  for (cap_value_t bit = 0; bit < ::cap_max_bits(); ++bit) {
    const bool stays =
        std::ranges::any_of(kept, [bit](Capability one) { return static_cast<cap_value_t>(one) == bit; });
    if (!stays) ::cap_drop_bound(bit);
  }
}

base::Status keep_only(std::span<const Capability> kept) {
  const State now(::cap_get_proc());
  const State then(::cap_init());
  if (!now || !then) return base::fail(failure("read the capabilities of this process"));
  ::cap_reset_ambient();
  for (const Capability one : kept) {
    const auto bit = static_cast<cap_value_t>(one);
    cap_flag_value_t permitted = CAP_CLEAR;
    if (::cap_get_flag(now.get(), bit, CAP_PERMITTED, &permitted) != 0 || permitted != CAP_SET) continue;
    if (::cap_set_flag(then.get(), CAP_PERMITTED, 1, &bit, CAP_SET) != 0 ||
        ::cap_set_flag(then.get(), CAP_EFFECTIVE, 1, &bit, CAP_SET) != 0) {
      return base::fail(failure("choose the capabilities that are kept"));
    }
  }
  if (::cap_set_proc(then.get()) != 0) return base::fail(failure("give up capabilities"));
  return {};
}

base::Status forbid_new_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return base::fail(failure("set no_new_privs"));
  return {};
}

std::string held_text() {
  const State state(::cap_get_proc());
  const std::unique_ptr<char, Free> text(state ? ::cap_to_text(state.get(), nullptr) : nullptr);
  return text ? std::string(text.get()) : std::string("unknown");
}

}  // namespace flowtally::rights
