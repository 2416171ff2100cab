// This file answers /api/v1/query: the parameters to a question, the rows to a body.
#pragma once

#include "api/routes.hpp"

namespace flowtally::api {

/// A query uses so many threads at most, where it can use several.
inline constexpr unsigned kQueryThreads = 2;

[[nodiscard]] Answer answer_query(Service& service, const Request& request);

}  // namespace flowtally::api
