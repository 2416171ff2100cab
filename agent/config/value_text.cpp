#include <algorithm>
#include <cctype>
#include <chrono>

#include <fmt/format.h>

#include "base/units.hpp"
#include "config/value.hpp"

namespace flowtally::config {
namespace {

enum class Form : std::uint8_t { kYaml, kJson };

/// Read back as the text that it is, not as null or as YAML's own signs.
bool is_plain(std::string_view text) {
  if (text.empty() || text == "null" || text == "Null" || text == "NULL") return false;
  if (text[0] != '/' && std::isalnum(static_cast<unsigned char>(text[0])) == 0) return false;
  return std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view("_./-").find(c) != std::string_view::npos;
  });
}

/// What begins a substitution stands twice, so that it does not.
std::string escaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text.substr(at).starts_with("${")) out += '$';
    out += text[at];
  }
  return out;
}

std::string text_in(Form form, std::string_view text) {
  if (form == Form::kJson) return json_string(text);
  return is_plain(text) ? std::string(text) : json_string(escaped(text));
}

std::string measure_text(const KeyInfo& key, std::uint64_t measure, Form form) {
  if (key.type == ValueType::kTime) return text_in(form, base::time_text(std::chrono::milliseconds(measure)));
  if (key.type == ValueType::kSize) return text_in(form, base::size_text(measure));
  return std::to_string(measure);
}

/// Canonical JSON has no spaces; YAML needs one behind the colon.
std::string_view comma(Form form) { return form == Form::kJson ? "," : ", "; }

std::string pair_text(std::string_view name, const std::string& value, Form form) {
  return fmt::format("{}:{}{}", json_string(name), form == Form::kJson ? "" : " ", value);
}

std::string secret_text(const model::Secret& secret, SecretsShown shown, Form form) {
  return text_in(form, shown == SecretsShown::kYes ? std::string_view(secret.reveal()) : kMask);
}

struct Writer {
  const KeyInfo& key;
  SecretsShown secrets;
  Form form;

  std::string operator()(bool flag) const { return flag ? "true" : "false"; }
  std::string operator()(std::uint64_t measure) const { return measure_text(key, measure, form); }
  std::string operator()(const std::string& text) const { return text_in(form, text); }
  std::string operator()(const model::Secret& secret) const {
    return secret.empty() ? "\"\"" : secret_text(secret, secrets, form);
  }
  std::string operator()(const Texts& list) const {
    std::vector<std::string> texts;
    for (const std::string& text : list)
      texts.push_back(key.type == ValueType::kStatuses ? text : text_in(form, text));
    return fmt::format("[{}]", fmt::join(texts, comma(form)));
  }
  std::string operator()(const TextPairs& pairs) const {
    std::vector<std::string> texts;
    for (const auto& [name, value] : pairs) {
      // Quoted always: a number as a label is a text.
      texts.push_back(pair_text(name, json_string(form == Form::kYaml ? escaped(value) : value), form));
    }
    return fmt::format("{{{}}}", fmt::join(texts, comma(form)));
  }
  std::string operator()(const model::Headers& headers) const {
    std::vector<std::string> texts;
    for (const auto& [name, value] : headers)
      texts.push_back(pair_text(name, secret_text(value, secrets, form), form));
    return fmt::format("{{{}}}", fmt::join(texts, comma(form)));
  }
};

}  // namespace

std::string yaml_text(const KeyInfo& key, const Value& value, SecretsShown secrets) {
  return std::visit(Writer{.key = key, .secrets = secrets, .form = Form::kYaml}, value);
}

std::string json_text(const KeyInfo& key, const Value& value) {
  return std::visit(Writer{.key = key, .secrets = SecretsShown::kNo, .form = Form::kJson}, value);
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace flowtally::config
