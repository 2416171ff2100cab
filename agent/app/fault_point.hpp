// This file lets crash tests kill the program at one place of its work: in the build that they run, and in no
// other, the environment says where.
#pragma once

#ifdef FLOWTALLY_FAULT_POINTS

namespace flowtally::app {
/// Kills this process where FLOWTALLY_KILL_AT is "NAME", or "NAME:N" at the Nth time.
void fault_point(const char* name) noexcept;
}  // namespace flowtally::app
#define FAULT_POINT(name) ::flowtally::app::fault_point(name)

#else

#define FAULT_POINT(name) static_cast<void>(0)

#endif
