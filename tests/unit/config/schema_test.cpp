// Goal: the schema for editors says what the table of keys says: every key, no other, with its sentence, its
// words and its default.
#include "config/schema.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <simdjson.h>

#include "config/keys.hpp"
#include "config/read.hpp"
#include "support/catch.hpp"

namespace flowtally::config {
namespace {

using simdjson::dom::element;

element at(const element& from, std::string_view name) {
  INFO(name);
  element found;
  REQUIRE(from[name].get(found) == simdjson::SUCCESS);
  return found;
}

std::string text_at(const element& from, std::string_view name) {
  return std::string(at(from, name).get_string().value());
}

std::size_t count_of(const element& properties) {
  std::size_t count = 0;
  const simdjson::dom::object fields = properties.get_object().value();
  for (const auto& field : fields) {
    static_cast<void>(field);
    ++count;
  }
  return count;
}

/// Holds the properties of one map against the section of the table; `more` are the maps that are no keys.
void check_section(const element& schema, std::span<const KeyInfo* const> keys, const std::string& section,
                   std::size_t more) {
  INFO(section);
  CHECK_FALSE(at(schema, "additionalProperties").get_bool().value());
  const element properties = at(schema, "properties");
  const Section parts = section_of(keys, section);
  std::size_t wanted = parts.keys.size() + parts.maps.size() + more;
  for (const std::size_t place : parts.keys) {
    const KeyInfo& key = *keys[place];
    INFO(key.path);
    const element property = at(properties, leaf_of(key.path));
    CHECK(text_at(property, "description") == key.about);
    if (const std::string file = file_key_of(key); !file.empty()) {
      CHECK(text_at(at(properties, file), "description").find("a file") != std::string::npos);
      ++wanted;
    }
    if (key.type != ValueType::kWord || key.path == "type") continue;
    std::vector<std::string_view> words;
    const simdjson::dom::array listed = at(at(property, "anyOf").at(0).value(), "enum").get_array().value();
    for (const element word : listed) words.push_back(word.get_string().value());
    CHECK(std::ranges::equal(words, key.words));
  }
  for (const std::string& map : parts.maps) {
    const element inner = at(properties, leaf_of(map));
    CHECK(text_at(inner, "description") == about_section(map));
    check_section(inner, keys, map, 0);
  }
  CHECK(count_of(properties) == wanted);
}

}  // namespace

TEST_CASE("the schema is JSON of the draft that it names", "[unit]") {
  simdjson::dom::parser parser;
  const std::string text = schema_json();
  element schema;
  REQUIRE(parser.parse(text).get(schema) == simdjson::SUCCESS);
  CHECK(text_at(schema, "$schema") == "https://json-schema.org/draft/2020-12/schema");
}

TEST_CASE("the schema has every key of the table and no other", "[unit]") {
  simdjson::dom::parser parser;
  const std::string text = schema_json();
  const element schema = parser.parse(text).value();
  const auto keys = infos_of(settings_keys());
  check_section(schema, keys, "", 1);  // the sinks
  const element sink = at(at(at(schema, "properties"), "sinks"), "additionalProperties");
  const auto choices = at(sink, "allOf").get_array().value();
  REQUIRE(choices.size() == kKinds);
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    const element choice = choices.at(kind).value();
    CHECK(text_at(at(at(at(choice, "if"), "properties"), "type"), "const") == kind_names()[kind]);
    check_section(at(choice, "then"), infos_of(sink_keys(kind)), "", 0);
  }
}

TEST_CASE("every part of the table has a sentence, every key one name in its map", "[unit]") {
  const auto check = [](const std::vector<const KeyInfo*>& keys) {
    std::vector<std::string> names;
    for (const KeyInfo* const key : keys) {
      INFO(key->path);
      CHECK_FALSE(key->about.empty());
      CHECK_FALSE(key->about.ends_with('.'));
      CHECK((key->type != ValueType::kWord || !key->words.empty()));
      names.emplace_back(key->path);
      if (std::string file = file_key_of(*key); !file.empty()) names.push_back(std::move(file));
      const std::size_t dot = key->path.rfind('.');
      if (dot != std::string_view::npos) CHECK_FALSE(about_section(key->path.substr(0, dot)).empty());
    }
    std::ranges::sort(names);
    CHECK(std::ranges::adjacent_find(names) == names.end());
  };
  check(infos_of(settings_keys()));
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    CHECK(kind_names()[kind] == model::kind_of(default_sink(kind).receiver));
    CHECK(sink_keys(kind)[0].info.path == "type");
    check(infos_of(sink_keys(kind)));
  }
}

TEST_CASE("every value that a table takes out it can put in again", "[unit]") {
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    const model::SinkSettings& sink = default_sink(kind);
    model::SinkSettings copy = sink;
    for (const auto& key : sink_keys(kind)) {
      INFO(kind_names()[kind] << " " << key.info.path);
      const auto value = key.get(sink, key.info);
      REQUIRE(value);
      key.set(copy, key.info, *value);
    }
    CHECK(copy == sink);
  }
}

}  // namespace flowtally::config
