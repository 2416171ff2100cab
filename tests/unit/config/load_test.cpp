// Goal: files come from the disk in their order, secrets only from files that are kept well, and streams that
// are kept are there again, for their owner only.
#include "config/load.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/kept_streams.hpp"
#include "config/print.hpp"
#include "support/catch.hpp"
#include "support/temp_dir.hpp"
#include "test_paths.h"
#include "unit/config/machine.hpp"
#include "unit/config/random_settings.hpp"

namespace flowtally::config {
namespace {

using test::TempDir;

std::string put(const TempDir& dir, const std::string& name, const std::string& text, mode_t mode = 0600) {
  const std::filesystem::path path = dir.path / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
  REQUIRE(::chmod(path.c_str(), mode) == 0);
  return path.string();
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string error_of(const base::Result<std::string>& result) {
  REQUIRE_FALSE(result);
  return result.error().text();
}

}  // namespace

TEST_CASE("the example that comes with flowtally is read, and says nothing", "[unit]") {
  const std::string path = FLOWTALLY_SOURCE_DIR "/scripts/deploy/flowtally.yaml";
  const auto loaded = load_settings({.file = path, .check_filter = test_filter});
  if (!loaded) FAIL(loaded.error().error().text());
  CHECK(loaded->settings == Settings{});
}

TEST_CASE("every key stands in the example, and with its comments taken off it is read", "[unit]") {
  // A line "#key: value" is a key that is commented out; "# A sentence." is a comment.
  const std::string example = text_of(FLOWTALLY_SOURCE_DIR "/scripts/deploy/flowtally.yaml");
  std::string text;
  for (std::size_t at = 0; at < example.size();) {
    const std::size_t end = example.find('\n', at);
    std::string line = example.substr(at, end - at);
    const std::size_t hash = line.find('#');
    if (hash != std::string::npos && line.find_first_not_of(' ') == hash && hash + 1 < line.size() &&
        line[hash + 1] != ' ')
      line.replace(hash, 1, "");
    text += line + '\n';
    at = end + 1;
  }
  Rules rules = test_rules();
  rules.environment = [](const std::string&) { return "of-the-environment"; };
  rules.secret_files = [](const std::string&) { return "of-a-file"; };
  const auto loaded = read_text(text, rules);
  if (!loaded) FAIL(loaded.error().error().text() << "\n" << text);
  for (const auto& key : settings_keys()) {
    INFO(key.info.path);
    CHECK((loaded->origins.contains(key.info.path) ||
           example.find(fmt::format("#{}:", leaf_of(key.info.path))) != std::string::npos));
  }
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    for (const auto& key : sink_keys(kind)) {
      INFO(kind_names()[kind] << " " << key.info.path);
      const std::string leaf(leaf_of(key.info.path));
      CHECK((example.find(leaf + ":") != std::string::npos ||
             example.find(file_key_of(key.info) + ":") != std::string::npos));
    }
  }
  CHECK(loaded->settings.sinks.size() == kKinds);
}

TEST_CASE("the document has every key, and its example is read as it says", "[unit]") {
  const std::string page = text_of(FLOWTALLY_SOURCE_DIR "/docs/formats/config.md");
  const auto check = [&](const std::vector<const KeyInfo*>& keys, bool in_section) {
    for (const KeyInfo* const key : keys) {
      const std::size_t dot = in_section ? key->path.find('.') + 1 : 0;
      const std::string row = fmt::format("| `{}` | ", key->path.substr(dot));
      INFO(row);
      CHECK(page.find(row) != std::string::npos);
      CHECK(page.find(std::string(key->about)) != std::string::npos);
    }
  };
  check(infos_of(settings_keys()), true);
  for (std::size_t kind = 0; kind < kKinds; ++kind) check(infos_of(sink_keys(kind)), false);

  std::vector<SourceFile> files;
  constexpr std::string_view kFence = "```yaml\n";
  for (std::size_t at = page.find(kFence); at != std::string::npos; at = page.find(kFence, at + 1)) {
    const std::size_t begin = at + kFence.size();
    files.push_back({.name = "f", .text = page.substr(begin, page.find("```", begin) - begin)});
  }
  REQUIRE(files.size() == 2);
  Rules rules = test_rules();
  rules.environment = [](const std::string& name) {
    return name.starts_with("AWS") ? std::optional<std::string>("of-the-environment") : std::nullopt;
  };
  rules.secret_files = [](const std::string& path) -> base::Result<std::string> { return path; };
  const auto loaded = read_settings(files, rules);
  if (!loaded) FAIL(loaded.error().error().text());
  REQUIRE(loaded->settings.sinks.size() == 2);
  CHECK(std::get<model::SplunkSettings>(loaded->settings.sinks[1].receiver).token.reveal() ==
        "/etc/flowtally/splunk-token");
  CHECK(settings_yaml(*loaded, {})
            .find("    token: \"***\"  # f:17, from the file "
                  "${CREDENTIALS_DIRECTORY:-/etc/flowtally}/splunk-token\n") != std::string::npos);
}

TEST_CASE("the files of conf.d are read in the order of their names, others are not", "[unit]") {
  const TempDir dir;
  const std::string file = put(dir, "flowtally.yaml", "capture: {interface: tun0}\n");
  put(dir, "conf.d/20-b.yaml", "sinks: {b: {type: file, path: /tmp/b}}\n");
  put(dir, "conf.d/10-a.yaml", "sinks: {a: {type: file, path: /tmp/a}}\n");
  put(dir, "conf.d/.hidden.yaml", "nonsense\n");
  put(dir, "conf.d/c.yaml.bak", "nonsense\n");
  const auto loaded = load_settings({.file = file});
  if (!loaded) FAIL(loaded.error().error().text());
  CHECK(loaded->settings.sinks.size() == 2);
  const std::string beside = (dir.path / "conf.d").string();
  CHECK(loaded->files == std::vector<std::string>{file, beside + "/10-a.yaml", beside + "/20-b.yaml"});
}

TEST_CASE("a file that is not there is refused, or nothing, as one likes; conf.d is read all the same",
          "[unit]") {
  const TempDir dir;
  const std::string file = (dir.path / "flowtally.yaml").string();
  const auto refused = load_settings({.file = file});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().lines ==
        std::vector<std::string>{fmt::format("open {}: No such file or directory", file)});
  put(dir, "conf.d/a.yaml", "capture: {interface: tun0}\n");
  const auto taken = load_settings({.file = file, .may_be_absent = true});
  REQUIRE(taken);
  CHECK(taken->settings.capture.interface == "tun0");
}

TEST_CASE("every file that cannot be read is told", "[unit]") {
  const TempDir dir;
  const std::string file = (dir.path / "flowtally.yaml").string();
  std::filesystem::create_directories(dir.path / "conf.d" / "a.yaml");
  const auto refused = load_settings({.file = file});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().lines ==
        std::vector<std::string>{
            fmt::format("open {}: No such file or directory", file),
            fmt::format("{} is no regular file", (dir.path / "conf.d" / "a.yaml").string())});
  const std::string large = put(dir, "large.yaml", std::string(kFileBytesMax + 1, '#'));
  std::filesystem::remove_all(dir.path / "conf.d");
  const auto too_large = load_settings({.file = large});
  REQUIRE_FALSE(too_large);
  CHECK(too_large.error().lines ==
        std::vector<std::string>{fmt::format("{}: the file is longer than {} bytes", large, kFileBytesMax)});
}

TEST_CASE("a secret is read without one line end, from a file that is kept well", "[unit]") {
  const TempDir dir;
  CHECK(read_secret_file(put(dir, "a", "secret\n")) == "secret");
  CHECK(read_secret_file(put(dir, "b", "secret\r\n", 0640)) == "secret");
  CHECK(read_secret_file(put(dir, "c", "secret")) == "secret");
  CHECK(read_secret_file(put(dir, "d", std::string(kSecretBytesMax, 'x') + "\n"))->size() == kSecretBytesMax);
  CHECK(error_of(read_secret_file(put(dir, "e", "secret\n", 0644)))
            .find("every user of this machine may read or write it") != std::string::npos);
  CHECK(error_of(read_secret_file(put(dir, "f", "\n"))).ends_with("/f is empty"));
  CHECK(error_of(read_secret_file(put(dir, "g", std::string(kSecretBytesMax + 1, 'x'))))
            .ends_with("has more than 2048 bytes"));
  CHECK(error_of(read_secret_file(dir.path.string())).ends_with("is no regular file"));
  CHECK(error_of(read_secret_file((dir.path / "nowhere").string())).ends_with("No such file or directory"));
}

TEST_CASE("secrets and variables reach a configuration from the machine", "[unit]") {
  const TempDir dir;
  const std::string secret = put(dir, "token", "of-the-file\n");
  const std::string file = put(
      dir, "flowtally.yaml",
      fmt::format("sinks:\n  a: {{type: splunk, url: 'https://h', token_file: '{}', user: '${{PATH}}'}}\n",
                  secret));
  const auto loaded = load_settings({.file = file});
  if (!loaded) FAIL(loaded.error().error().text());
  const auto& splunk = std::get<model::SplunkSettings>(loaded->settings.sinks.at(0).receiver);
  CHECK(splunk.token.reveal() == "of-the-file");
  CHECK(splunk.user == ::getenv("PATH"));
}

TEST_CASE("streams that are kept are there again, and only for their owner", "[unit]") {
  const TempDir dir;
  const std::string path = (dir.path / "streams.yaml").string();
  CHECK(load_streams(path, test_filter).value().empty());
  RandomSettings random(1, "s3cr3t");
  std::vector<model::SinkSettings> sinks;
  sinks.reserve(kKinds + 1);
  for (std::size_t kind = 0; kind < kKinds; ++kind)
    sinks.push_back(random.sink(kind, fmt::format("s{}", kind)));
  sinks.push_back(random.sink(0, "api-network"));
  std::ranges::sort(sinks, {}, &model::SinkSettings::name);
  put(dir, "streams.yaml.aside", "left by a crash", 0644);
  REQUIRE(save_streams(path, sinks));
  struct stat info{};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777U) == 0600U);
  CHECK(load_streams(path, test_filter).value() == sinks);
  CHECK_FALSE(std::filesystem::exists(path + ".aside"));
  REQUIRE(save_streams(path, {}));
  CHECK(load_streams(path, test_filter).value().empty());
}

TEST_CASE("streams that cannot be kept leave the old ones, and what is no list of streams is refused",
          "[unit]") {
  const TempDir dir;
  const std::string path = (dir.path / "streams.yaml").string();
  RandomSettings random(2, "s3cr3t");
  const std::vector sinks = {random.sink(0, "a")};
  REQUIRE(save_streams(path, sinks));
  auto large = sinks;
  for (int each = 0; each < 200; ++each) {
    large.push_back(random.sink(8, fmt::format("s{}", each)));
    large.back().filter = std::string(2000, 'x');
  }
  const auto saved = save_streams(path, large);
  REQUIRE_FALSE(saved);
  CHECK(saved.error().code() == base::ErrorCode::kResource);
  CHECK(load_streams(path, test_filter).value() == sinks);
  CHECK_FALSE(save_streams((dir.path / "nowhere" / "streams.yaml").string(), sinks));
  const auto wrong = load_streams(put(dir, "wrong.yaml", "capture: {interface: tun0}\n"), test_filter);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().lines.at(0).ends_with("only sinks belong here"));
}

}  // namespace flowtally::config
