#include "config/schema.hpp"

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "config/keys.hpp"
#include "config/read.hpp"

namespace flowtally::config {
namespace {

/// What a value may be besides what its pattern says: a text that variables are put into.
constexpr std::string_view kVariable = R"(\$\{)";

/// The members of a JSON object.
class Members {
 public:
  Members& raw(std::string_view name, std::string_view json) {
    members_.push_back(fmt::format("{}:{}", json_string(name), json));
    return *this;
  }
  Members& text(std::string_view name, std::string_view value) { return raw(name, json_string(value)); }
  [[nodiscard]] std::string object() const { return fmt::format("{{{}}}", fmt::join(members_, ",\n")); }

 private:
  std::vector<std::string> members_{};
};

std::string list_of(std::span<const std::string_view> words) {
  std::vector<std::string> texts;
  for (const std::string_view word : words) texts.push_back(json_string(word));
  return fmt::format("[{}]", fmt::join(texts, ","));
}

std::string patterned(std::string_view pattern) {
  return Members()
      .raw("type", R"("string")")
      .text("pattern", fmt::format("^(?:{})$|{}", pattern, kVariable))
      .object();
}

std::string any_of(std::string_view first) {
  return fmt::format(R"({{"anyOf":[{},{}]}})", first,
                     Members().raw("type", R"("string")").text("pattern", kVariable).object());
}

std::string number_schema(const KeyInfo& key) {
  const std::string bounds =
      key.max == UINT64_MAX
          ? fmt::format(R"({{"type":"integer","minimum":{}}})", key.min)
          : fmt::format(R"({{"type":"integer","minimum":{},"maximum":{}}})", key.min, key.max);
  return fmt::format(R"({{"anyOf":[{},{}]}})", bounds, patterned("[0-9]+[kKMGT]"));
}

/// The shape of one value.
std::string value_schema(const KeyInfo& key) {
  switch (key.type) {
    case ValueType::kFlag: return any_of(R"({"type":"boolean"})");
    case ValueType::kNumber:
    case ValueType::kSize: return number_schema(key);
    case ValueType::kTime: return patterned("[0-9]+(?:ms|s|m|h|d|w)");
    case ValueType::kWord: return any_of(fmt::format(R"({{"enum":{}}})", list_of(key.words)));
    case ValueType::kUrl: return patterned("https?://[^@\\s]+");
    case ValueType::kPath: return patterned("/.*[^/]");
    case ValueType::kOutput: return patterned("-|/.*[^/]");
    case ValueType::kEndpoint: return patterned("[^\\s,]+:[0-9]{1,5}");
    case ValueType::kEndpoints: return patterned("[^\\s,]+:[0-9]{1,5}(?:,[^\\s,]+:[0-9]{1,5})*");
    case ValueType::kInterface: return patterned("[^/:\\s]{1,15}");
    case ValueType::kNodeId: return patterned("[!-~]{1,128}");
    case ValueType::kTopic: return patterned("[A-Za-z0-9._{}-]{1,249}");
    case ValueType::kBucket: return patterned("[A-Za-z0-9._-]{3,63}");
    case ValueType::kSecret:
      return fmt::format(R"({{"type":"string","pattern":{}}})", json_string(kVariable));
    case ValueType::kWords:
      return fmt::format(R"({{"type":"array","minItems":1,"uniqueItems":true,"items":{{"enum":{}}}}})",
                         list_of(key.words));
    case ValueType::kStatuses:
      return R"({"type":"array","uniqueItems":true,"items":{"type":"integer","minimum":200,"maximum":599}})";
    case ValueType::kInterfaces:
      return fmt::format(R"({{"type":"array","uniqueItems":true,"items":{}}})", patterned("[^/:\\s]{1,15}"));
    case ValueType::kLabels:
    case ValueType::kProperties:
    case ValueType::kHeaders:
      return R"({"type":"object","additionalProperties":{"type":["string","number","boolean"]}})";
    default: return R"({"type":["string","number"],"minLength":1})";
  }
}

/// Wherever YAML reads a number or a truth value, a text is what is meant.
std::string described(const std::string& schema, std::string_view about, std::string_view fallback) {
  std::string out = schema;
  out.pop_back();
  out += fmt::format(",{}:{}", json_string("description"), json_string(about));
  if (!fallback.empty()) out += fmt::format(",{}:{}", json_string("default"), fallback);
  return out + '}';
}

std::string about_file(const KeyInfo& key) {
  if (key.type == ValueType::kHeaders) return "The same, each value in a file: header and path";
  return fmt::format("{}, in a file", key.about);
}

class ObjectSchema {
 public:
  /// `initial` is the JSON text of a key's default; empty: none.
  using Initial = std::string (*)(std::size_t kind, std::size_t key);

  ObjectSchema(std::vector<const KeyInfo*> keys, Initial initial, std::size_t kind)
      : keys_(std::move(keys)), initial_(initial), kind_(kind) {}

  /// With `more` as further members of its "properties".
  [[nodiscard]] std::string write(const std::string& section, const Members& more) const {
    Members properties = more;
    const Section parts = section_of(keys_, section);
    for (const std::size_t at : parts.keys) add(at, properties);
    for (const std::string& map : parts.maps)
      properties.raw(leaf_of(map), described(write(map, {}), about_section(map), ""));
    Members object;
    object.raw("type", section.empty() && kind_ != kKinds ? R"("object")" : R"(["object","null"])");
    object.raw("additionalProperties", "false").raw("properties", properties.object());
    if (const std::string all = required(parts); !all.empty()) object.raw("allOf", all);
    return object.object();
  }

 private:
  void add(std::size_t at, Members& properties) const {
    const KeyInfo& key = *keys_[at];
    const bool type = kind_ != kKinds && key.path == "type";
    const std::string shape =
        type ? fmt::format(R"({{"const":{}}})", json_string(kind_names()[kind_])) : value_schema(key);
    properties.raw(leaf_of(key.path), described(shape, key.about, type ? "" : initial_(kind_, at)));
    const std::string file = file_key_of(key);
    if (file.empty()) return;
    const std::string in_file =
        key.type == ValueType::kHeaders
            ? fmt::format(R"({{"type":"object","additionalProperties":{}}})", patterned("/.*[^/]"))
            : patterned("/.*[^/]");
    properties.raw(file, described(in_file, about_file(key), ""));
  }

  /// Each key that must be there, itself or by its file.
  [[nodiscard]] std::string required(const Section& parts) const {
    std::vector<std::string> all;
    for (const std::size_t at : parts.keys) {
      const KeyInfo& key = *keys_[at];
      if (!key.required) continue;
      const std::string file = file_key_of(key);
      const std::string one = fmt::format(R"({{"required":[{}]}})", json_string(key.path));
      all.push_back(file.empty()
                        ? one
                        : fmt::format(R"({{"anyOf":[{},{{"required":[{}]}}]}})", one, json_string(file)));
    }
    return all.empty() ? std::string() : fmt::format("[{}]", fmt::join(all, ","));
  }

  std::vector<const KeyInfo*> keys_;
  Initial initial_;
  std::size_t kind_;
};

std::string setting_default(std::size_t, std::size_t at) {
  const KeyInfo& key = settings_keys()[at].info;
  if (key.fallback.empty()) return {};
  const auto value = read_scalar(key, key.fallback);
  return value ? json_text(key, *value) : std::string();
}

std::string sink_default(std::size_t kind, std::size_t at) {
  const auto& key = sink_keys(kind)[at];
  const auto value = key.get(default_sink(kind), key.info);
  return value && !says_nothing(key.info, *value) ? json_text(key.info, *value) : std::string();
}

std::string sinks_schema() {
  std::vector<std::string> choices;
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    const std::string schema = ObjectSchema(infos_of(sink_keys(kind)), sink_default, kind).write("", {});
    choices.push_back(fmt::format(R"({{"if":{{"properties":{{"type":{{"const":{}}}}}}},"then":{}}})",
                                  json_string(kind_names()[kind]), schema));
  }
  Members type;
  type.raw("enum", list_of(kind_names())).text("description", sink_keys(0)[0].info.about);
  Members sink;
  sink.raw("type", R"("object")").raw("required", R"(["type"])");
  sink.raw("properties", Members().raw("type", type.object()).object());
  sink.raw("allOf", fmt::format("[{}]", fmt::join(choices, ",\n")));
  Members sinks;
  sinks.raw("type", R"(["object","null"])").text("description", about_section("sinks"));
  sinks.raw("maxProperties", std::to_string(kSinksMax));
  sinks.raw("propertyNames", Members()
                                 .text("pattern", fmt::format("^(?!{})[A-Za-z0-9][A-Za-z0-9_-]{{0,{}}}$",
                                                              kReservedPrefix, kSinkNameBytesMax - 1))
                                 .object());
  return sinks.raw("additionalProperties", sink.object()).object();
}

}  // namespace

std::string schema_json() {
  std::string whole = ObjectSchema(infos_of(settings_keys()), setting_default, kKinds)
                          .write("", Members().raw("sinks", sinks_schema()));
  // Its first members, after the brace.
  const std::string head =
      fmt::format("{{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\n\"title\":{},\n",
                  json_string("flowtally.yaml"));
  whole.replace(0, 1, head);
  return whole + '\n';
}

}  // namespace flowtally::config
