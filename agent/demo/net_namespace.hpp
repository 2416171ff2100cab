// This file makes network namespaces that have no name: an open descriptor is all that keeps one alive, so
// that nothing is left behind however the process ends.
#pragma once

#include <functional>
#include <type_traits>

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace flowtally::demo {

/// Owner of one anonymous network namespace, its loopback device up. What is opened inside (sockets, TUNs)
/// stays in it and keeps it alive too. Needs CAP_SYS_ADMIN.
class NetNamespace {
 public:
  [[nodiscard]] static base::Result<NetNamespace> make();

  /// Runs `function`, which must return a base::Result, on a thread of its own inside the namespace and waits
  /// for it. The caller's namespace never changes.
  template <class Function>
  [[nodiscard]] std::invoke_result_t<Function&> run(Function&& function) const {
    std::invoke_result_t<Function&> result =
        base::fail(base::Error(base::ErrorCode::kInternal, "the function did not run"));
    if (auto entered = run_inside([&] { result = function(); }); !entered) {
      return base::fail(std::move(entered.error()));
    }
    return result;
  }

  /// For setns(2); valid as long as this object.
  [[nodiscard]] int fd() const noexcept { return fd_.get(); }

 private:
  explicit NetNamespace(base::UniqueFd fd) noexcept : fd_(std::move(fd)) {}
  [[nodiscard]] base::Status run_inside(const std::function<void()>& function) const;

  base::UniqueFd fd_;
};

}  // namespace flowtally::demo
