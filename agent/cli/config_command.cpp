#include <utility>

#include <fmt/format.h>

#include "cli/ask.hpp"
#include "cli/commands.hpp"
#include "config/load.hpp"
#include "config/print.hpp"
#include "config/schema.hpp"
#include "query/filter.hpp"

namespace flowtally::cli {
namespace {

base::Status check_filter(const std::string& filter) {
  auto parsed = query::Filter::parse(filter);
  if (!parsed) return base::fail(std::move(parsed.error()));
  return {};
}

std::string found_text(const config::Loaded& loaded) {
  const std::size_t sinks = loaded.settings.sinks.size();
  return fmt::format("{}: nothing is wrong, {} {}\n", fmt::join(loaded.files, ", "), sinks,
                     sinks == 1 ? "sink" : "sinks");
}

}  // namespace

Outcome configuration(const ConfigurationOptions& options, Console& console) {
  using What = ConfigurationOptions::What;
  if (options.what == What::kSchema) {
    console.print(config::schema_json());
    return judge_output(console);
  }
  const auto loaded = config::load_settings({.file = options.file, .check_filter = check_filter});
  if (!loaded) {
    for (const std::string& line : loaded.error().lines) console.say(line);
    return Outcome::kFailed;
  }
  if (options.what == What::kCheck) {
    console.print(found_text(*loaded));
  } else {
    console.print(config::settings_yaml(*loaded, {.effective = options.effective}));
  }
  return judge_output(console);
}

}  // namespace flowtally::cli
