// This file makes a body of something that writes by itself, such as a query: it runs on a thread of its own
// and waits while the client has not taken what it wrote.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "api/answer.hpp"

namespace flowtally::api {

/// What a writer may be ahead of its client; one longer text is taken all the same.
inline constexpr std::size_t kAheadBytesMax = std::size_t{256} << 10U;

/// False: nobody wants more; the writer should end soon.
using Emit = std::function<bool(std::string_view text)>;
/// Runs on the body's thread until it returns. What it refers to must outlive the body.
using Writer = std::function<base::Status(const Emit& emit)>;

/// Waits for the first text or the end: an Error before any text is given here, a later one by the body. The
/// body's end waits for the writer's. kResource: no thread.
[[nodiscard]] base::Result<std::unique_ptr<Body>> pushed_body(Writer writer);

}  // namespace flowtally::api
