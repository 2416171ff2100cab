// This file is what the commands have in common: to ask for something small, and to end.
#pragma once

#include <expected>
#include <string>

#include "cli/console.hpp"
#include "cli/http.hpp"
#include "cli/outcome.hpp"

namespace flowtally::cli {

/// The whole answer, of kDocumentBytesMax at the most. What went wrong has been said.
[[nodiscard]] std::expected<std::string, Outcome> ask(const std::string& socket, const Question& question,
                                                      Console& console);

/// Says what is wrong with the reply and gives the outcome; kDone where nothing is.
[[nodiscard]] Outcome judge(const Reply& reply, Console& console);
/// After the last print(): kDone also where the reader of stdout has gone, because it has what it wanted.
[[nodiscard]] Outcome judge_output(Console& console);

}  // namespace flowtally::cli
