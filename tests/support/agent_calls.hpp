// This file lets tests run the agent's parts under the agent's filter of system calls, which ends the whole
// test at a call that is in no list.
#pragma once

#include <optional>
#include <thread>
#include <utility>

#include "rights/capabilities.hpp"
#include "rights/system_calls.hpp"
#include "support/catch.hpp"

namespace flowtally::test {

/// What `body` returns in a thread that has the filter; threads that it starts have it too, for as long as
/// they live. No assertions in the body.
template <class Body>
auto with_agent_calls(Body body) {
  std::optional<decltype(body())> result;
  std::thread([&] {
    if (rights::forbid_new_privileges() && rights::allow_only_agent_calls()) result.emplace(body());
  }).join();
  REQUIRE(result.has_value());  // or there is no filter to be had
  return *std::move(result);
}

}  // namespace flowtally::test
