// This file is what an HTTP answer means where a receiver has no rules of its own. Pure.
//
// Not now: no answer, 408, 429, 5xx without 501. Too large: 413. The data: 400 and 422. Everything else that
// is no success is a matter of the configuration (a wrong token, path, right, method): nothing is thrown away
// for it.
#pragma once

#include <string>
#include <string_view>

#include "sink/http_sender.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

/// kBisect for what is wrong with the data: who sends one item knows that it is that one.
[[nodiscard]] Verdict http_verdict(const HttpAnswer& answer) noexcept;

/// "HTTP 400: the begin of the body", or why there was no answer. One line of printable characters.
[[nodiscard]] std::string http_reason(const HttpAnswer& answer);

/// The whole of it; `bytes` of the body before compression.
[[nodiscard]] Outcome http_outcome(const HttpAnswer& answer, std::uint64_t bytes);

}  // namespace flowtally::sink
