// Goal: no configuration harms its reader; every fault has its place and shows no secret; what is taken can
// be printed, read again, and is the same.
//
// Method: libFuzzer on texts, as the administrator's file with variables and secrets from elsewhere, cut into
// two files at a line of its own, and as a sink that somebody sends.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.hpp"
#include "config/print.hpp"
#include "config/read.hpp"

namespace {

using namespace flowtally;
using namespace flowtally::config;

constexpr std::string_view kHidden = "hidden-value-of-the-machine";
constexpr std::string_view kCut = "\n====\n";

Rules administrator() {
  return {.environment = [](const std::string& name) -> std::optional<std::string> {
            if (name.starts_with('N')) return std::nullopt;
            return std::string(kHidden);
          },
          .secret_files = [](const std::string& path) -> base::Result<std::string> {
            if (path.size() % 2 == 0) return std::string(kHidden);
            return base::fail(base::Error(base::ErrorCode::kNotFound, "no such file"));
          }};
}

Rules sent() { return {.literal_secrets = true, .reserved_names = true}; }

void check_refusal(const Refusal& refusal) {
  FLOWTALLY_CHECK(!refusal.lines.empty() && refusal.lines.size() <= kFaultsMax + 1);
  for (const std::string& line : refusal.lines) {
    FLOWTALLY_CHECK(line.starts_with("f:") || line.starts_with("g:") || line.starts_with("and "));
    FLOWTALLY_CHECK(line.find(kHidden) == std::string::npos);
  }
}

void check_loaded(const Loaded& loaded) {
  const std::string text = settings_yaml(loaded, {.effective = true, .secrets = SecretsShown::kYes});
  const SourceFile file{.name = "f", .text = text};
  // A longer text than a file may be can come of short ones with many variables.
  if (text.size() > kFileBytesMax) return;
  const auto again = read_settings({&file, 1}, sent());
  FLOWTALLY_CHECK(again.has_value());
  FLOWTALLY_CHECK(again->settings == with_defaults(loaded.settings));
  FLOWTALLY_CHECK(settings_json(again->settings) == settings_json(loaded.settings));
  for (const model::SinkSettings& sink : loaded.settings.sinks) {
    const SourceFile one{.name = "f", .text = sink_yaml(sink, SecretsShown::kYes)};
    const auto sink_again = read_sink(sink.name, one, sent());
    FLOWTALLY_CHECK(sink_again.has_value() && *sink_again == sink);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.find(kHidden) != std::string_view::npos) return 0;  // then it is no secret
  const std::size_t cut = text.find(kCut);
  std::vector<SourceFile> files = {{.name = "f", .text = std::string(text.substr(0, cut))}};
  if (cut != std::string_view::npos)
    files.push_back({.name = "g", .text = std::string(text.substr(cut + kCut.size()))});
  const auto loaded = read_settings(files, administrator());
  if (loaded) {
    check_loaded(*loaded);
  } else {
    check_refusal(loaded.error());
  }
  const auto sink = read_sink("a", files[0], sent());
  if (!sink) check_refusal(sink.error());
  return 0;
}
