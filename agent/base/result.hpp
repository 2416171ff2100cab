// This file names the return type of everything that can fail.
#pragma once

#include <expected>
#include <utility>

#include "base/error.hpp"

namespace flowtally::base {

template <class T>
using Result = std::expected<T, Error>;

using Status = Result<void>;

/// `return fail(std::move(result.error()).during("…"));`
[[nodiscard]] inline std::unexpected<Error> fail(Error error) {
  return std::unexpected<Error>(std::move(error));
}

}  // namespace flowtally::base
