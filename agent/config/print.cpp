#include "config/print.hpp"

#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "config/keys.hpp"

namespace flowtally::config {
namespace {

/// What a map is written from: its keys, and what each of them has.
struct Source {
  std::vector<const KeyInfo*> keys{};
  /// Nothing: neither said nor a default.
  std::function<std::optional<Value>(std::size_t key)> value{};
  std::function<bool(std::size_t key)> is_default{};
};

Source source_of(const Settings& settings) {
  const auto keys = settings_keys();
  return {.keys = infos_of(keys),
          .value = [&settings, keys](std::size_t at) -> std::optional<Value> {
            const KeyInfo& key = keys[at].info;
            if (auto value = keys[at].get(settings, key)) return value;
            if (key.fallback.empty()) return std::nullopt;
            auto value = read_scalar(key, key.fallback);
            return value ? std::optional(std::move(*value)) : std::nullopt;
          },
          .is_default = [&settings, keys](std::size_t at) { return !keys[at].get(settings, keys[at].info); }};
}

Source source_of(const model::SinkSettings& sink) {
  const std::size_t kind = sink.receiver.index();
  const auto keys = sink_keys(kind);
  return {.keys = infos_of(keys),
          .value = [&sink, keys](std::size_t at) -> std::optional<Value> {
            auto value = keys[at].get(sink, keys[at].info);
            if (!value || says_nothing(keys[at].info, *value)) return std::nullopt;
            return value;
          },
          .is_default =
              [&sink, keys, kind](std::size_t at) {
                const KeyInfo& key = keys[at].info;
                return !key.required && keys[at].get(sink, key) == keys[at].get(default_sink(kind), key);
              }};
}

/// One map and what is in it, line by line.
class YamlWriter {
 public:
  YamlWriter(const Source& source, PrintOptions options, const Loaded* loaded, std::string path)
      : source_(source), options_(options), loaded_(loaded), path_(std::move(path)) {}

  [[nodiscard]] std::string write(const std::string& section, std::size_t indent) const {
    std::string out;
    const Section parts = section_of(source_.keys, section);
    for (const std::size_t key : parts.keys) out += line_of(key, indent);
    for (const std::string& map : parts.maps) {
      const std::string inside = write(map, indent + 2);
      if (!inside.empty()) out += fmt::format("{:{}}{}:\n{}", "", indent, leaf_of(map), inside);
    }
    return out;
  }

 private:
  [[nodiscard]] std::string line_of(std::size_t at, std::size_t indent) const {
    const KeyInfo& key = *source_.keys[at];
    const bool is_default = source_.is_default(at);
    if (is_default && !options_.effective && origin_of(key) == nullptr) return {};
    const auto value = source_.value(at);
    if (!value) {
      return options_.effective ? fmt::format("{:{}}# {}: not set\n", "", indent, leaf_of(key.path))
                                : std::string();
    }
    return fmt::format("{:{}}{}: {}{}\n", "", indent, leaf_of(key.path),
                       yaml_text(key, *value, options_.secrets), comment_of(key));
  }

  /// Null: nobody said it, or nobody knows.
  [[nodiscard]] const Origin* origin_of(const KeyInfo& key) const {
    if (loaded_ == nullptr) return nullptr;
    const auto found = loaded_->origins.find(joined(path_, key.path));
    return found == loaded_->origins.end() ? nullptr : &found->second;
  }

  [[nodiscard]] std::string comment_of(const KeyInfo& key) const {
    const Origin* const origin = origin_of(key);
    if (origin == nullptr) return {};
    return fmt::format("  # {}{}{}", shown_name(origin->at), origin->via.empty() ? "" : ", from ",
                       origin->via);
  }

  /// A name of a file may have anything in it, and a comment ends with its line.
  [[nodiscard]] std::string shown_name(const Place& at) const {
    std::string text = place_text(at, loaded_->files);
    for (char& c : text) {
      if (static_cast<unsigned char>(c) < 0x20) c = '?';
    }
    return text;
  }

  const Source& source_;
  PrintOptions options_;
  const Loaded* loaded_;
  std::string path_;
};

/// A sink says what differs, or all.
std::string sink_lines(const model::SinkSettings& sink, PrintOptions options, const Loaded* loaded,
                       std::size_t indent) {
  const Source source = source_of(sink);
  return YamlWriter(source, options, loaded, joined("sinks", sink.name)).write("", indent);
}

std::string sinks_lines(std::span<const model::SinkSettings> sinks, PrintOptions options,
                        const Loaded* loaded) {
  if (sinks.empty()) return options.effective ? "sinks: {}\n" : "";
  std::string out = "sinks:\n";
  for (const model::SinkSettings& sink : sinks)
    out += fmt::format("  {}:\n{}", yaml_text({}, sink.name, SecretsShown::kYes),
                       sink_lines(sink, options, loaded, 4));
  return out;
}

std::string json_of(const Source& source, const std::string& section, const std::string& name) {
  std::vector<std::string> members;
  if (!name.empty()) members.push_back(fmt::format("\"name\":{}", json_string(name)));
  const Section parts = section_of(source.keys, section);
  for (const std::size_t at : parts.keys) {
    const KeyInfo& key = *source.keys[at];
    const auto value = source.value(at);
    members.push_back(
        fmt::format("{}:{}", json_string(leaf_of(key.path)), value ? json_text(key, *value) : "null"));
  }
  for (const std::string& map : parts.maps)
    members.push_back(fmt::format("{}:{}", json_string(leaf_of(map)), json_of(source, map, "")));
  return fmt::format("{{{}}}", fmt::join(members, ","));
}

}  // namespace

std::string settings_yaml(const Loaded& loaded, const PrintOptions& options) {
  const Source source = source_of(loaded.settings);
  return YamlWriter(source, options, &loaded, "").write("", 0) +
         sinks_lines(loaded.settings.sinks, options, &loaded);
}

std::string sink_yaml(const model::SinkSettings& sink, SecretsShown secrets) {
  return sink_lines(sink, {.secrets = secrets}, nullptr, 0);
}

std::string sinks_yaml(std::span<const model::SinkSettings> sinks, SecretsShown secrets) {
  return sinks_lines(sinks, {.secrets = secrets}, nullptr);
}

std::string sink_json(const model::SinkSettings& sink) { return json_of(source_of(sink), "", sink.name); }

std::string settings_json(const Settings& settings) {
  std::string out = json_of(source_of(settings), "", "");
  out.pop_back();
  out += ",\"sinks\":{";
  for (std::size_t at = 0; at < settings.sinks.size(); ++at) {
    const model::SinkSettings& sink = settings.sinks[at];
    out +=
        fmt::format("{}{}:{}", at == 0 ? "" : ",", json_string(sink.name), json_of(source_of(sink), "", ""));
  }
  return out + "}}";
}

}  // namespace flowtally::config
