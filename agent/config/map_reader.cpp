#include "config/map_reader.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include <fmt/format.h>

#include "base/near_miss.hpp"

namespace flowtally::config {
namespace {

constexpr std::size_t kNameBytesMax = 128;  // of a header, a label, a property

/// The text for a message, unless it may be a secret or have one in it.
std::string what_is(const KeyInfo& key, const Node& node) {
  const bool may_be_secret = key.type == ValueType::kSecret ||
                             (key.type == ValueType::kUrl && node.written.find('@') != std::string::npos);
  return may_be_secret ? "the value" : in_quotes(node.written);
}

/// The filter language shows the text below its sentence.
std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

bool same_header(std::string_view left, std::string_view right) {
  return std::ranges::equal(
      left, right, [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

/// The variables of a text for people: "${A}", not what is instead of them.
std::string via_variables(const Node& node) {
  std::string via;
  for (std::size_t at = node.written.find("${"); at != std::string::npos; at = node.written.find("${", at)) {
    const std::size_t end = node.written.find('}', at);
    const std::string inside = node.written.substr(at + 2, end - at - 2);
    const bool escaped = at > 0 && node.written[at - 1] == '$';
    at = end;
    if (escaped) continue;
    via += fmt::format("{}${{{}}}", via.empty() ? "" : ", ", inside.substr(0, inside.find(':')));
  }
  return via;
}

}  // namespace

void MapReader::read(const Node& node, std::span<const KeyInfo* const> keys, const std::string& path,
                     const Store& store, std::string_view besides) {
  read_map(node, {.keys = keys, .section = "", .path = path, .besides = besides}, store);
}

void MapReader::read_map(const Node& node, const Map& map, const Store& store) {
  if (node.kind == Node::Kind::kNull) return;  // nothing in it, or told
  if (!is_kind(node, Node::Kind::kMap, map.path)) return;
  const Section section = section_of(map.keys, map.section);
  std::map<std::size_t, Value> found;
  for (std::size_t at = 0; at < node.names.size(); ++at) {
    const std::string& name = node.names[at];
    if (!map.besides.empty() && name == map.besides) continue;
    const Place& place = node.name_places[at];
    const std::string path = joined(map.section, name);
    if (std::ranges::find(section.maps, path) != section.maps.end()) {
      const std::string shown_path = joined(map.path, name);
      origins_.emplace(shown_path, Origin{.at = place});
      read_map(node.items[at], {.keys = map.keys, .section = path, .path = shown_path, .besides = {}}, store);
      continue;
    }
    const auto own =
        std::ranges::find_if(section.keys, [&](std::size_t key) { return map.keys[key]->path == path; });
    const auto behind = std::ranges::find_if(
        section.keys, [&](std::size_t key) { return file_key_of(*map.keys[key]) == path; });
    if (own != section.keys.end()) {
      take(map, {.key = *own, .at = place, .source = Source::kHere}, node.items[at], found);
    } else if (behind != section.keys.end()) {
      take(map, {.key = *behind, .at = place, .source = Source::kFile}, node.items[at], found);
    } else {
      refuse_unknown(map, section, name, place);
    }
  }
  for (const auto& [key, value] : found) store(key, value);
}

void MapReader::take(const Map& map, const Given& given, const Node& node,
                     std::map<std::size_t, Value>& found) {
  const KeyInfo& info = *map.keys[given.key];
  const bool in_file = given.source == Source::kFile;
  const std::string path = joined(map.path, leaf_of(info.path));
  const std::string path_there = in_file ? joined(map.path, file_key_of(info)) : path;
  Origin origin{.at = given.at, .via = node.variables ? via_variables(node) : std::string()};
  std::optional<Value> value;
  if (!in_file) {
    value = read_value(info, node, path);
  } else if (info.type == ValueType::kHeaders) {
    value = read_header_files(node, path_there);
  } else {
    value = read_secret_file(node, path_there);
    origin.via = fmt::format("the file {}", shown(node.written));
  }
  const bool is_new = origins_.emplace(path, std::move(origin)).second;
  if (!is_new && info.type != ValueType::kHeaders) {
    faults_.add(given.at, path_there,
                fmt::format("{} and {} are two ways to give the same; give one of them", info.path,
                            file_key_of(info)));
  } else if (value && info.type == ValueType::kHeaders) {
    auto& headers = std::get<model::Headers>(found.try_emplace(given.key, model::Headers{}).first->second);
    add_headers(headers, std::get<model::Headers>(std::move(*value)), given.at, path_there);
  } else if (value) {
    found.emplace(given.key, std::move(*value));
  }
}

void MapReader::add_headers(model::Headers& to, model::Headers from, const Place& at,
                            const std::string& path) const {
  for (auto& header : from) {
    if (std::ranges::any_of(to, [&](const auto& other) { return same_header(other.first, header.first); })) {
      faults_.add(at, path, fmt::format("the header {} is given twice", shown(header.first)));
    } else {
      to.push_back(std::move(header));
    }
  }
}

void MapReader::refuse_unknown(const Map& map, const Section& section, const std::string& name,
                               const Place& at) const {
  std::vector<std::string> allowed;
  for (const std::size_t key : section.keys) {
    allowed.emplace_back(leaf_of(map.keys[key]->path));
    if (std::string file = file_key_of(*map.keys[key]); !file.empty()) allowed.push_back(std::move(file));
  }
  for (const std::string& inner : section.maps) allowed.emplace_back(leaf_of(inner));
  if (!map.besides.empty()) allowed.emplace_back(map.besides);
  const std::vector<std::string_view> known(allowed.begin(), allowed.end());
  const std::string meant = base::near_miss(name, known);
  faults_.add(at, joined(map.path, shown(name)),
              fmt::format("unknown key; allowed: {}{}", fmt::join(allowed, ", "),
                          meant.empty() ? "" : fmt::format("; did you mean \"{}\"?", meant)));
}

bool MapReader::is_kind(const Node& node, Node::Kind kind, const std::string& path) const {
  if (node.kind == kind) return true;
  if (node.told) return false;
  constexpr std::string_view kIs[] = {"has no value", "is a single value", "is a list", "is a map"};
  constexpr std::string_view kWanted[] = {"", "give one or take the line out", "write [one, another]",
                                          "write \"key: value\" lines below it"};
  faults_.add(node.at, path,
              fmt::format("{}; {}", kIs[static_cast<std::size_t>(node.kind)],
                          kind == Node::Kind::kScalar && node.kind != Node::Kind::kNull
                              ? "give one value"
                              : kWanted[static_cast<std::size_t>(kind)]));
  return false;
}

std::optional<Value> MapReader::read_value(const KeyInfo& key, const Node& node,
                                           const std::string& path) const {
  if (is_list(key.type)) return read_list_of(key, node, path);
  if (is_map(key.type)) return read_pairs(key, node, path);
  return read_one(key, node, path);
}

std::optional<Value> MapReader::read_one(const KeyInfo& key, const Node& node,
                                         const std::string& path) const {
  if (!is_kind(node, Node::Kind::kScalar, path)) return std::nullopt;
  if (key.type == ValueType::kSecret && node.literal && !rules_.literal_secrets) {
    faults_.add(node.at, path,
                fmt::format("a secret does not stand in this file; put it into a file of its own and write "
                            "{}: PATH, or write {}: ${{VARIABLE}}",
                            leaf_of(file_key_of(key)), leaf_of(key.path)));
    return std::nullopt;
  }
  auto value = read_scalar(key, node.text);
  if (!value) {
    faults_.add(node.at, path, fmt::format("{} {}", what_is(key, node), value.error()));
    return std::nullopt;
  }
  if (key.type == ValueType::kFilter && rules_.check_filter) {
    if (const auto checked = rules_.check_filter(node.text); !checked) {
      faults_.add(node.at, path, first_line(checked.error().text()));
      return std::nullopt;
    }
  }
  return std::move(*value);
}

std::optional<Value> MapReader::read_list_of(const KeyInfo& key, const Node& node,
                                             const std::string& path) const {
  if (!is_kind(node, Node::Kind::kList, path)) return std::nullopt;
  std::vector<std::string> texts;
  for (const Node& item : node.items) {
    if (!is_kind(item, Node::Kind::kScalar, path)) return std::nullopt;
    texts.push_back(item.text);
  }
  auto list = read_list(key, texts);
  if (list) return std::move(*list);
  // What a variable holds is not shown: it may be a secret that went astray.
  const bool variables = std::ranges::any_of(node.items, &Node::variables);
  faults_.add(node.at, path,
              variables ? "has an entry that is not possible, with its variables put in" : list.error());
  return std::nullopt;
}

std::optional<Value> MapReader::read_pairs(const KeyInfo& key, const Node& node,
                                           const std::string& path) const {
  if (!is_kind(node, Node::Kind::kMap, path)) return std::nullopt;
  if (node.items.size() > kListMax) {
    faults_.add(node.at, path, fmt::format("has more than {} entries", kListMax));
    return std::nullopt;
  }
  const std::size_t faults_before = faults_.size();
  TextPairs pairs;
  model::Headers headers;
  for (std::size_t at = 0; at < node.items.size(); ++at) {
    const std::string& name = node.names[at];
    const Node& item = node.items[at];
    const std::string here = joined(path, shown(name));
    if (!is_kind(item, Node::Kind::kScalar, here)) continue;
    auto checked = check_pair(key, name, item.text);
    if (checked && name.size() > kNameBytesMax)
      checked = std::unexpected(fmt::format("is longer than {} bytes", kNameBytesMax));
    if (!checked) {
      faults_.add(node.name_places[at], here, checked.error());
    } else if (key.type != ValueType::kHeaders) {
      pairs.emplace_back(name, item.text);
    } else if (is_credential_header(name) && !item.variables && !rules_.literal_secrets) {
      faults_.add(item.at, here,
                  fmt::format("a secret does not stand in this file; put it into a file of its own and write "
                              "header_files: {{{}: PATH}}, or write it with ${{VARIABLE}}",
                              shown(name)));
    } else {
      headers.emplace_back(name, model::Secret(item.text));
    }
  }
  if (faults_.size() != faults_before) return std::nullopt;
  if (key.type == ValueType::kHeaders) return Value(std::move(headers));
  return Value(std::move(pairs));
}

std::optional<Value> MapReader::read_secret_file(const Node& node, const std::string& path) const {
  const KeyInfo file{.path = "", .type = ValueType::kPath};
  if (!rules_.secret_files) {
    faults_.add(node.at, path, "files are not read for what comes from outside; give the value itself");
    return std::nullopt;
  }
  const auto name = read_one(file, node, path);
  if (!name) return std::nullopt;
  auto secret = rules_.secret_files(std::get<std::string>(*name));
  if (!secret) {
    faults_.add(node.at, path, first_line(secret.error().text()));
    return std::nullopt;
  }
  auto value = read_scalar({.path = "", .type = ValueType::kSecret}, *secret);
  if (value) return std::move(*value);
  faults_.add(node.at, path, fmt::format("what is in {} {}", shown(node.written), value.error()));
  return std::nullopt;
}

std::optional<Value> MapReader::read_header_files(const Node& node, const std::string& path) const {
  if (!is_kind(node, Node::Kind::kMap, path)) return std::nullopt;
  const KeyInfo header{.path = "", .type = ValueType::kHeaders};
  model::Headers headers;
  for (std::size_t at = 0; at < node.items.size(); ++at) {
    const std::string here = joined(path, shown(node.names[at]));
    if (const auto checked = check_pair(header, node.names[at], "x");
        !checked || node.names[at].size() > kNameBytesMax) {
      faults_.add(node.name_places[at], here, checked ? "is too long" : checked.error());
      continue;
    }
    auto secret = read_secret_file(node.items[at], here);
    if (secret) headers.emplace_back(node.names[at], std::get<model::Secret>(std::move(*secret)));
  }
  return Value(std::move(headers));
}

}  // namespace flowtally::config
