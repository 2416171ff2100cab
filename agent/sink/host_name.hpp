// This file is what this host is called.
#pragma once

#include <string>

namespace flowtally::sink {

/// gethostname(2); empty where there is none.
[[nodiscard]] std::string host_name();

}  // namespace flowtally::sink
