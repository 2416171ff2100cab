// This file checks and completes what settings say of HTTP: addresses, and headers of one's own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/sink_settings.hpp"

namespace flowtally::sink {

/// The address of a receiver with our `path` behind what it has, unless it ends in that already; a query
/// stays at the end. kInvalidArgument: no http or https, no host, a user in it, a character that no address
/// has.
[[nodiscard]] base::Result<std::string> url_with_path(std::string_view url, std::string_view path);

/// "Name: value" behind `to`. kInvalidArgument: a name that is no token, a line end in a value.
[[nodiscard]] base::Status append_headers(const model::Headers& headers, std::vector<std::string>& to);

/// "Authorization: Basic …".
[[nodiscard]] std::string basic_authorization(std::string_view user, std::string_view password);

}  // namespace flowtally::sink
