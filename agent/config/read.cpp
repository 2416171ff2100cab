#include "config/read.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/near_miss.hpp"
#include "config/checks.hpp"
#include "config/keys.hpp"
#include "config/map_reader.hpp"

namespace flowtally::config {
namespace {

constexpr std::string_view kSinks = "sinks";

bool is_name_letter(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

/// What is wrong with the name; empty: nothing.
std::string name_problem(std::string_view name, const Rules& rules) {
  const bool fits =
      !name.empty() && name.size() <= kSinkNameBytesMax && is_name_letter(name[0]) &&
      std::ranges::all_of(name, [](char c) { return is_name_letter(c) || c == '-' || c == '_'; });
  if (!fits) {
    return fmt::format("is no name of a sink; give 1 to {} letters, digits, - and _, a letter or digit first",
                       kSinkNameBytesMax);
  }
  if (!rules.reserved_names && name.starts_with(kReservedPrefix))
    return fmt::format("names that begin with {} belong to the streams of the API", kReservedPrefix);
  return {};
}

class SinkReader {
 public:
  SinkReader(const Rules& rules, Faults& faults, Origins& origins)
      : rules_(rules), faults_(faults), origins_(origins) {}

  /// Nothing where it is told already that there is none.
  std::optional<model::SinkSettings> read(const std::string& name, const Node& node, const Place& at,
                                          const std::string& path) {
    origins_.emplace(path, Origin{.at = at});
    if (const std::string problem = name_problem(name, rules_); !problem.empty()) {
      faults_.add(at, path, problem);
      return std::nullopt;
    }
    if (node.kind != Node::Kind::kMap) {
      if (!node.told) faults_.add(node.at, path, "a sink is \"key: value\" lines, at least type");
      return std::nullopt;
    }
    const auto kind = kind_of(node, at, path);
    if (!kind) return std::nullopt;
    model::SinkSettings sink = default_sink(*kind);
    sink.name = name;
    const auto keys = sink_keys(*kind);
    MapReader(rules_, faults_, origins_)
        .read(node, infos_of(keys), path,
              [&](std::size_t key, const Value& value) { keys[key].set(sink, keys[key].info, value); });
    check_sink(sink, path, origins_, faults_);
    return sink;
  }

 private:
  std::optional<std::size_t> kind_of(const Node& node, const Place& at, const std::string& path) {
    const Node* const type = node.find("type");
    if (type == nullptr) {
      faults_.add(at, path, fmt::format("type is missing; it is one of {}", fmt::join(kind_names(), ", ")));
      return std::nullopt;
    }
    const KeyInfo& key = sink_keys(0)[0].info;
    const auto value = MapReader(rules_, faults_, origins_).read_value(key, *type, joined(path, "type"));
    if (!value) return std::nullopt;
    const auto found = std::ranges::find(kind_names(), std::get<std::string>(*value));
    return static_cast<std::size_t>(found - kind_names().begin());
  }

  const Rules& rules_;
  Faults& faults_;
  Origins& origins_;
};

void read_sinks(const Node& node, const Place& at, const Rules& rules, Faults& faults, Loaded& to) {
  to.origins.emplace(kSinks, Origin{.at = at});
  if (node.kind == Node::Kind::kNull) return;
  if (node.kind != Node::Kind::kMap) {
    faults.add(node.at, kSinks, "is no map; write each sink below it under a name: \"mysiem:\"");
    return;
  }
  if (node.items.size() > kSinksMax) {
    faults.add(node.at, kSinks, fmt::format("there are more than {} sinks", kSinksMax));
    return;
  }
  SinkReader reader(rules, faults, to.origins);
  for (std::size_t each = 0; each < node.items.size(); ++each) {
    const std::string& name = node.names[each];
    auto sink = reader.read(name, node.items[each], node.name_places[each], joined(kSinks, shown(name)));
    if (sink) to.settings.sinks.push_back(std::move(*sink));
  }
  std::ranges::sort(to.settings.sinks, {}, &model::SinkSettings::name);
}

}  // namespace

std::expected<Loaded, Refusal> read_settings(std::span<const SourceFile> files, const Rules& rules) {
  Faults faults;
  Loaded loaded;
  for (const SourceFile& file : files) loaded.files.push_back(file.name);
  const Node root = read_document(files, rules.environment, faults);
  const auto keys = settings_keys();
  MapReader(rules, faults, loaded.origins)
      .read(
          root, infos_of(keys), "",
          [&](std::size_t key, const Value& value) { keys[key].set(loaded.settings, keys[key].info, value); },
          kSinks);
  for (std::size_t at = 0; at < root.names.size(); ++at) {
    if (root.names[at] == kSinks) read_sinks(root.items[at], root.name_places[at], rules, faults, loaded);
  }
  check_settings(loaded.settings, loaded.origins, faults);
  if (faults.empty()) return loaded;
  return std::unexpected(faults.refusal(loaded.files));
}

std::expected<model::SinkSettings, Refusal> read_sink(const std::string& name, const SourceFile& file,
                                                      const Rules& rules) {
  Faults faults;
  Origins origins;
  const Node root = read_document({&file, 1}, rules.environment, faults);
  std::optional<model::SinkSettings> sink;
  if (faults.empty()) sink = SinkReader(rules, faults, origins).read(name, root, root.at, "");
  if (faults.empty() && sink) return std::move(*sink);
  return std::unexpected(faults.refusal({file.name}));
}

}  // namespace flowtally::config
