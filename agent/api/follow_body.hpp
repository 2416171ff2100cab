// This file follows a journal: one server-sent event for each new record, with its number as the id, so that
// a client that was cut off goes on where it was (Last-Event-ID).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/answer.hpp"
#include "api/slots.hpp"
#include "journal/entry.hpp"

namespace flowtally::api {

struct Following {
  std::string directory{};
  std::optional<journal::Sequence> after{};  ///< the last one that the client has; none: only new ones
  std::chrono::milliseconds keep_alive{};
  std::function<bool()> abandoned{};
  std::function<void(std::uint64_t)> missing{};
  Slot slot{};
};

/// How soon a follower sees that the server stops or its client is gone.
inline constexpr std::chrono::milliseconds kFollowLook{250};

/// Ends when the client goes or the server stops. kInvalidArgument: `after` is beyond the last record.
[[nodiscard]] base::Result<std::unique_ptr<Body>> follow_records(Following following);

}  // namespace flowtally::api
