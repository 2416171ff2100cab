// This file lists the commands that ask an agent, each with what the command line gave it. They print to the
// console and say there what went wrong.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "cli/answer.hpp"
#include "cli/console.hpp"
#include "cli/outcome.hpp"
#include "config/settings.hpp"
#include "query/query.hpp"

namespace flowtally::cli {

struct StatusOptions {
  enum class What : std::uint8_t { kAll, kHealthy, kReady } what = What::kAll;
  std::string socket{};
  bool json = false;  ///< of kAll: the agent's own answer
};
/// With kHealthy and kReady kFailed, and what is wrong said, where the agent says that it is not.
[[nodiscard]] Outcome show_status(const StatusOptions& options, Console& console);

struct PeersOptions {
  std::string socket{};
  bool json = false;
};
[[nodiscard]] Outcome show_peers(const PeersOptions& options, Console& console);

struct QueryOptions {
  std::string socket{};
  query::QueryText text{};
  Format format = Format::kTable;
  std::string journal{};  ///< the directory of one, to be read without an agent; empty: ask the agent
  unsigned threads = 1;   ///< that read it
};
[[nodiscard]] Outcome run_query(const QueryOptions& options, Console& console);

struct TailOptions {
  std::string socket{};
  std::string filter{};
  bool json = false;  ///< a JSON object for each connection
};
struct StreamOptions {
  enum class What : std::uint8_t { kList, kAdd, kRemove, kTest, kReplay } what = What::kList;
  std::string socket{};
  std::string name{};
  std::string file{};  ///< of kAdd: YAML or JSON of the stream; "-": stdin
  bool json = false;   ///< of kList
};
[[nodiscard]] Outcome stream(const StreamOptions& options, Console& console);

struct ConfigurationOptions {
  enum class What : std::uint8_t { kCheck, kPrint, kSchema } what = What::kCheck;
  std::string file = config::kDefaultFile;  ///< with conf.d beside it; of kCheck and kPrint
  bool effective = false;                   ///< of kPrint: with what holds by default
};
/// Asks no agent. kFailed: something is wrong with the configuration; each fault is a line on stderr.
[[nodiscard]] Outcome configuration(const ConfigurationOptions& options, Console& console);

/// Ends with kStopped, or when the reader of stdout goes.
[[nodiscard]] Outcome follow(const TailOptions& options, Console& console);

}  // namespace flowtally::cli
