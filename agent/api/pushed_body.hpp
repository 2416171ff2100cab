// This file makes a body of something that writes by itself, such as a query: it runs on a thread of its own
// and waits while the client has not taken what it wrote.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string_view>

#include "api/answer.hpp"
#include "api/slots.hpp"

namespace flowtally::api {

/// What a writer may be ahead of its client; one longer text is taken all the same.
inline constexpr std::size_t kAheadBytesMax = std::size_t{256} << 10U;

/// False: nobody wants more; the writer should end soon.
using Emit = std::function<bool(std::string_view text)>;
/// Runs on the body's thread until it returns, soon after a stop. What it refers to must outlive the body.
using Writer = std::function<base::Status(const Emit& emit, const std::stop_token& stop)>;

struct Pushing {
  Writer writer{};
  std::function<bool()> abandoned = [] { return false; };  ///< asked every kPushedLook while nothing comes
  Slot slot{};                                             ///< held until the writer has returned
};
inline constexpr std::chrono::milliseconds kPushedLook{250};

/// Waits for the first text or the end: an Error before any text is given here, a later one by the body. The
/// body's end stops the writer and waits for it. kResource: no thread. kIo: abandoned.
[[nodiscard]] base::Result<std::unique_ptr<Body>> pushed_body(Pushing pushing);

}  // namespace flowtally::api
