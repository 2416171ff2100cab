// This file asks rtnetlink whether a clsact qdisc still carries filters, of anybody: libbpf has no call for
// it.
#pragma once

#include "capture/device.hpp"

namespace flowtally::capture {

/// True if the device has a clsact qdisc without any filter on either side. False on any doubt or error, so
/// that a qdisc that may be in use is never removed.
[[nodiscard]] bool clsact_is_empty(IfIndex device) noexcept;

}  // namespace flowtally::capture
