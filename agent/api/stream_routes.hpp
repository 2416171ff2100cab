// This file answers what is asked about streams and the configuration: Tailscale's `…/logging/TYPE/stream`,
// and ours under /api/v1/streams.
#pragma once

#include "api/answer.hpp"
#include "api/request.hpp"
#include "api/routes.hpp"

namespace flowtally::api {

// /api/v2/tailnet/ANY/logging/TYPE/stream
[[nodiscard]] Answer log_stream(Service& service, const Request& request);
[[nodiscard]] Answer log_stream_status(Service& service, const Request& request);

// /api/v1/streams[/NAME[/test|/replay]], /api/v1/configuration, /api/v1/reload
[[nodiscard]] Answer list_streams(Service& service, const Request& request);
[[nodiscard]] Answer change_stream(Service& service, const Request& request);
[[nodiscard]] Answer test_stream(Service& service, const Request& request);
[[nodiscard]] Answer replay_stream(Service& service, const Request& request);
[[nodiscard]] Answer show_configuration(Service& service, const Request& request);
[[nodiscard]] Answer reload_configuration(Service& service, const Request& request);

/// The JSON object of one stream's status, for lists of them.
[[nodiscard]] std::string sink_json(const model::SinkStatus& status);

}  // namespace flowtally::api
