// This file puts variables of the environment into a text: ${NAME}, ${NAME:-what holds without it}, and $${
// for ${ as it is. What comes out is not looked into again. Pure.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "config/document.hpp"

namespace flowtally::config {

struct Substituted {
  std::string text{};
  bool variables = false;
  bool literal = false;  ///< something of `text` does not come from a variable
};

/// The error is a phrase about the text, without the values of variables. As in a shell, a variable that is
/// empty counts as not set where there is something instead.
[[nodiscard]] std::expected<Substituted, std::string> substitute(std::string_view text,
                                                                 const Environment& environment);

}  // namespace flowtally::config
