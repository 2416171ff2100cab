// This file keeps one line of text in a file of its own: which version ran last, who this node is.
#pragma once

#include <string>

#include "base/result.hpp"

namespace flowtally::app {

/// Without its end; empty where there is no such file. At most 255 bytes.
[[nodiscard]] std::string first_line_of(const std::string& path);

/// Puts the line in place of what is there, by a rename: a crash leaves one of the two.
[[nodiscard]] base::Status replace_line(const std::string& path, const std::string& line);

}  // namespace flowtally::app
