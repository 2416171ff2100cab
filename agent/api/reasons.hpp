// This file gives the reason numbers of include/flowtally/abi.h the names that status and metrics show them
// by. Numbers that mean nothing yet have none and are left out.
#pragma once

#include <array>
#include <string_view>

#include "flowtally/abi.h"

namespace flowtally::api {

inline constexpr std::array<std::string_view, FT_UNPARSED_REASONS> kUnparsedNames = {
    "", "not_ip", "truncated", "header_length", "total_length", "extensions"};
inline constexpr std::array<std::string_view, FT_EXCLUDED_REASONS> kExcludedNames = {
    "", "service", "multicast", "link_local", "fragment", "protocol"};
inline constexpr std::array<std::string_view, FT_INSERT_FAILURES> kInsertFailureNames = {"full", "busy",
                                                                                         "memory", "other"};

}  // namespace flowtally::api
