#include "cli/json.hpp"

#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include "cli/human.hpp"

namespace flowtally::cli {
namespace {

using base::Error;
using base::ErrorCode;

constexpr unsigned kDepthMax = 64;

Error not_understood(std::string_view why) {
  return Error(ErrorCode::kCorrupt, fmt::format("the agent's answer is not understood: {}", why))
      .advise("Is this the socket of `flowtally run`, and of this version?");
}

}  // namespace

struct JsonDocument::Parsed {
  simdjson::dom::parser parser{};
  simdjson::dom::element root{};

  template <class T>
  [[nodiscard]] std::optional<T> at(std::string_view place) const {
    simdjson::dom::element found;
    T value{};
    if (root.at_pointer(place).get(found) != simdjson::SUCCESS) return std::nullopt;
    if (found.get(value) != simdjson::SUCCESS) return std::nullopt;
    return value;
  }
};

JsonDocument::JsonDocument() : parsed_(std::make_unique<Parsed>()) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

base::Status JsonDocument::read(std::string_view text) {
  if (text.size() > kDocumentBytesMax) return base::fail(not_understood("it is too long"));
  simdjson::dom::element root;
  const auto code = parsed_->parser.parse(text.data(), text.size()).get(root);
  if (code != simdjson::SUCCESS) return base::fail(not_understood(simdjson::error_message(code)));
  parsed_->root = root;
  return {};
}

bool JsonDocument::has(std::string_view place) const {
  return parsed_->at<simdjson::dom::element>(place).has_value();
}

std::string JsonDocument::text(std::string_view place) const {
  return std::string(parsed_->at<std::string_view>(place).value_or(""));
}

std::uint64_t JsonDocument::number(std::string_view place) const {
  return parsed_->at<std::uint64_t>(place).value_or(0);
}

double JsonDocument::seconds(std::string_view place) const { return parsed_->at<double>(place).value_or(0); }

bool JsonDocument::flag(std::string_view place) const { return parsed_->at<bool>(place).value_or(false); }

std::size_t JsonDocument::size(std::string_view place) const {
  if (const auto list = parsed_->at<simdjson::dom::array>(place)) return list->size();
  if (const auto object = parsed_->at<simdjson::dom::object>(place)) return object->size();
  return 0;
}

std::vector<std::string> JsonDocument::texts(std::string_view place) const {
  std::vector<std::string> texts;
  const auto list = parsed_->at<simdjson::dom::array>(place);
  if (!list) return texts;
  for (const simdjson::dom::element element : *list) {
    std::string_view text;
    if (element.get(text) == simdjson::SUCCESS) texts.emplace_back(text);
  }
  return texts;
}

std::vector<JsonField> JsonDocument::fields(std::string_view place) const {
  std::vector<JsonField> fields;
  const auto object = parsed_->at<simdjson::dom::object>(place);
  if (!object) return fields;
  for (const auto& [name, value] : *object) {
    JsonField field{.name = std::string(name)};
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS) {
      field.kind = JsonField::Kind::kText;
      field.text = text;
    } else if (value.get(field.number) == simdjson::SUCCESS) {
      field.kind = JsonField::Kind::kNumber;
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

std::string message_of(std::string_view body) {
  JsonDocument document;
  if (!document.read(body)) return {};
  return printable(document.text("/message"));
}

ListScanner::ListScanner(std::string list, std::function<bool(std::string_view)> begin,
                         std::function<bool(std::string_view)> element)
    : opening_(fmt::format("\"{}\":[", list)), begin_(std::move(begin)), element_(std::move(element)) {}

bool ListScanner::feed(std::string_view piece) {
  for (const char c : piece) {
    if (!(in_text_ ? take_quoted(c) : take(c))) return false;
  }
  return true;
}

std::optional<std::string_view> ListScanner::frame() const noexcept {
  if (place_ != Place::kDone) return std::nullopt;
  return frame_;
}

bool ListScanner::keep(std::string& into, char c) {
  if (into.size() < kDocumentBytesMax) {
    into += c;
    return true;
  }
  error_ = not_understood("an element of it is too long");
  return false;
}

bool ListScanner::take_quoted(char c) {
  if (escaped_) {
    escaped_ = false;
  } else if (c == '\\') {
    escaped_ = true;
  } else if (c == '"') {
    in_text_ = false;
  }
  return keep(place_ == Place::kInList ? now_ : frame_, c);
}

bool ListScanner::take(char c) {
  switch (c) {
    case ' ':
    case '\t':
    case '\r':
    case '\n': return true;
    case '{':
    case '[': return open(c);
    case '}':
    case ']': return close(c);
    default: break;
  }
  if (place_ == Place::kDone) {
    error_ = not_understood("something stands behind its end");
    return false;
  }
  if (c == '"') in_text_ = true;
  if (place_ == Place::kInList && depth_ == 2) {
    if (c == ',') return true;  // between two elements
    error_ = not_understood("its list has something that is no object");
    return false;
  }
  return keep(place_ == Place::kInList ? now_ : frame_, c);
}

bool ListScanner::open(char c) {
  if (place_ == Place::kDone || ++depth_ > kDepthMax) {
    error_ = not_understood("it is too deep, or goes on behind its end");
    return false;
  }
  if (place_ == Place::kInList) return keep(now_, c);
  if (!keep(frame_, c)) return false;
  if (place_ != Place::kBefore || depth_ != 2 || c != '[' || !frame_.ends_with(opening_)) return true;
  place_ = Place::kInList;
  return begin_(frame_ + "]}");
}

bool ListScanner::close(char c) {
  if (depth_ == 0) {
    error_ = not_understood("it ends more often than it begins");
    return false;
  }
  --depth_;
  if (place_ != Place::kInList) {
    if (depth_ == 0) place_ = Place::kDone;
    return keep(frame_, c);
  }
  if (depth_ == 1) {
    place_ = Place::kAfter;
    return keep(frame_, c);
  }
  if (!keep(now_, c)) return false;
  if (depth_ > 2) return true;
  const bool more = element_(now_);
  now_.clear();
  return more;
}

}  // namespace flowtally::cli
