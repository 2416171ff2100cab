// This file is the index template for the data streams that flowtally's items go to.
#pragma once

#include <string>
#include <string_view>

#include "model/sink_settings.hpp"

namespace flowtally::sink {

/// `pattern` is the data stream's name. Addresses that are none do not spoil an item, names that nobody
/// mapped are kept and not indexed. For `PUT /_index_template/NAME`, or with `typed` for `PUT
/// /_template/NAME` of Elasticsearch 6, which has no data streams.
[[nodiscard]] std::string index_template(std::string_view pattern, bool typed);

}  // namespace flowtally::sink
