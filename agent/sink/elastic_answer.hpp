// This file is what Elasticsearch and OpenSearch answer to `_bulk`, and what that means for each item. Pure.
//
// A status of 200 says nothing: each item has its own. Source: "Bulk API", elastic.co and opensearch.org.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "sink/http_sender.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

/// `count` items were sent. `ids`: they had ids of ours, so that a conflict means that they are there.
[[nodiscard]] Outcome bulk_outcome(const HttpAnswer& answer, std::size_t count, bool ids);

/// What `GET /` says of the server.
struct ElasticVersion {
  unsigned major = 8;  ///< of Elasticsearch; 8 where nobody says
  bool opensearch = false;
  /// Elasticsearch before 7 wants a type with each document; later ones refuse it.
  [[nodiscard]] bool typed() const noexcept { return !opensearch && major < 7; }
};
[[nodiscard]] ElasticVersion read_version(std::string_view body);

}  // namespace flowtally::sink
