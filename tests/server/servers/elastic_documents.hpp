// This file reads back what was streamed to Elasticsearch or OpenSearch, and compares.
#pragma once

#include <cstddef>
#include <string>

#include "model/sink_settings.hpp"
#include "server/servers/delivery.hpp"
#include "server/servers/server.hpp"

namespace flowtally::test {

/// Two documents each: together what one answer may hold.
inline constexpr std::size_t kElasticRecords = 4000;

/// Documents by their ids, in the smallest JSON.
[[nodiscard]] Items documents(const Server& server, const std::string& index, const std::string& login = "");
/// The same ids, and the same documents.
void check_same(const Items& found, const Items& sent);
/// ECS, with gzip.
[[nodiscard]] model::SinkSettings sink_to(model::ElasticSettings elastic);

}  // namespace flowtally::test
