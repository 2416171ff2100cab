// This file is the table of keys: each key of the configuration once, with all that is to be said of it and
// the way to its place in the settings. What reads, checks, prints and describes a configuration goes by it.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "config/value.hpp"

namespace flowtally::config {

template <class Object>
struct Key {
  KeyInfo info;
  /// Nothing: it is not said.
  std::optional<Value> (*get)(const Object& object, const KeyInfo& key);
  /// The value is of the key's type.
  void (*set)(Object& object, const KeyInfo& key, const Value& value);
};

/// "capture.interval", …: all but the sinks.
[[nodiscard]] std::span<const Key<Settings>> settings_keys();

inline constexpr std::size_t kKinds = std::variant_size_v<model::ReceiverSettings>;

/// By the index in model::ReceiverSettings; its words are those of model::kind_of().
[[nodiscard]] std::span<const std::string_view> kind_names();
/// Of one kind: those that all have and its own. "type" is the first, and its value is never set.
[[nodiscard]] std::span<const Key<model::SinkSettings>> sink_keys(std::size_t kind);
/// What holds in a sink of this kind of which nothing is said.
[[nodiscard]] const model::SinkSettings& default_sink(std::size_t kind);

/// A sentence for each part of the file, for editors: "capture", "capture.underlay", "tls".
[[nodiscard]] std::string_view about_section(std::string_view path);

/// The keys of a table without their accessors.
template <class Object>
[[nodiscard]] std::vector<const KeyInfo*> infos_of(std::span<const Key<Object>> keys) {
  std::vector<const KeyInfo*> infos;
  infos.reserve(keys.size());
  for (const Key<Object>& key : keys) infos.push_back(&key.info);
  return infos;
}

/// One map of the file, as the paths of keys make it: what stands in the map `section` itself ("" is the
/// outermost), and the maps in it, both in the order of the table.
struct Section {
  std::vector<std::size_t> keys{};  ///< places in the table
  std::vector<std::string> maps{};  ///< whole paths
};
[[nodiscard]] Section section_of(std::span<const KeyInfo* const> keys, std::string_view section);

/// The last word of a path.
[[nodiscard]] std::string_view leaf_of(std::string_view path) noexcept;
/// "a.b", or "b" where there is no a.
[[nodiscard]] std::string joined(std::string_view path, std::string_view name);

}  // namespace flowtally::config
