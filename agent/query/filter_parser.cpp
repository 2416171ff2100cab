// This file reads a filter by recursive descent:
//
//     either    := both { ("or" | "||") both }
//     both      := single { ("and" | "&&") single }
//     single    := ("not" | "!") single | "(" either ")" | condition
//     condition := PROTOCOL | FIELD [ comparison ] value
//
// and writes it again. Every error is shown at its place.
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "model/address_text.hpp"
#include "query/filter.hpp"
#include "query/names.hpp"
#include "record/text.hpp"

namespace flowtally::query {

using base::Error;
using base::ErrorCode;
using base::Result;

namespace {

struct FieldName {
  std::string_view name;
  Field field;
};

/// The first name of a field is the one that is written.
constexpr FieldName kFields[] = {{"proto", Field::kProto},
                                 {"src", Field::kSrc},
                                 {"dst", Field::kDst},
                                 {"host", Field::kHost},
                                 {"addr", Field::kHost},
                                 {"sport", Field::kSrcPort},
                                 {"dport", Field::kDstPort},
                                 {"port", Field::kPort},
                                 {"bytes", Field::kBytes},
                                 {"packets", Field::kPackets},
                                 {"txbytes", Field::kTxBytes},
                                 {"rxbytes", Field::kRxBytes},
                                 {"txpackets", Field::kTxPackets},
                                 {"rxpackets", Field::kRxPackets},
                                 {"node", Field::kNode},
                                 {"peer", Field::kPeer},
                                 {"user", Field::kUser},
                                 {"tag", Field::kTag},
                                 {"class", Field::kClass}};

struct ComparisonName {
  std::string_view name;
  Comparison comparison;
};

/// Longer ones before those that they begin with; the first name of a comparison is the one that is written.
constexpr ComparisonName kComparisons[] = {
    {"!=", Comparison::kNotEqual}, {"<=", Comparison::kLessOrEqual}, {">=", Comparison::kGreaterOrEqual},
    {"==", Comparison::kEqual},    {"=", Comparison::kEqual},        {"<", Comparison::kLess},
    {">", Comparison::kGreater}};

std::string_view name_of(Field field) { return std::ranges::find(kFields, field, &FieldName::field)->name; }

bool is_number_field(Field field) { return field >= Field::kBytes && field <= Field::kRxPackets; }
bool is_port_field(Field field) { return field >= Field::kSrcPort && field <= Field::kPort; }
bool is_address_field(Field field) { return field >= Field::kSrc && field <= Field::kHost; }

constexpr std::string_view kSpaces = " \t\r\n";
constexpr std::string_view kEndOfWord = " \t\r\n()=<>!&|\"";

}  // namespace

class FilterParser {
 public:
  explicit FilterParser(std::string_view text) : text_(text) {}

  Result<Filter> parse() {
    if (text_.size() > kFilterBytesMax) {
      return base::fail(
          Error(ErrorCode::kInvalidArgument,
                fmt::format("the filter has {} bytes, {} are allowed", text_.size(), kFilterBytesMax)));
    }
    skip_spaces();
    if (at_ == text_.size()) return Filter();
    const auto whole = either(0);
    if (whole && at_ < text_.size()) refuse(at_, "write `and` or `or` between two conditions");
    if (!whole || !fault_.empty()) return base::fail(Error(ErrorCode::kInvalidArgument, fault_));
    filter_.find_needles();
    return std::move(filter_);
  }

 private:
  using Index = std::optional<std::size_t>;  // of a term; nothing after a fault

  Index either(std::size_t depth) {
    Index left = both(depth);
    while (left && (take_word("or") || take_symbol("||"))) left = join(Filter::Kind::kOr, left, both(depth));
    return left;
  }

  Index both(std::size_t depth) {
    Index left = single(depth);
    while (left && (take_word("and") || take_symbol("&&")))
      left = join(Filter::Kind::kAnd, left, single(depth));
    return left;
  }

  Index single(std::size_t depth) {
    const std::size_t place = at_;
    if (depth > kFilterDepthMax) {
      return refuse(place,
                    fmt::format("more than {} parentheses and `not`s in one another", kFilterDepthMax));
    }
    if (take_word("not") || (!text_.substr(at_).starts_with("!=") && take_symbol("!"))) {
      const Index inner = single(depth + 1);
      return inner ? add({.kind = Filter::Kind::kNot, .left = *inner}, place) : Index();
    }
    if (!take_symbol("(")) return condition();
    const Index inner = either(depth + 1);
    if (inner && !take_symbol(")")) return refuse(at_, "a parenthesis is not closed: write `)` here");
    return inner;
  }

  Index condition() {
    const std::size_t place = at_;
    const std::string word = lower(bare_word());
    if (word.empty()) {
      return refuse(place, at_ == text_.size() ? "a condition is missing here, such as `port 443`"
                                               : "a condition begins with a field, such as `port 443`");
    }
    const auto* const found = std::ranges::find(kFields, word, &FieldName::name);
    if (found == std::end(kFields)) {
      // `tcp` alone is `proto tcp`.
      const bool is_number = word.find_first_not_of("0123456789") == std::string::npos;
      if (const auto proto = protocol_of(word); proto && !is_number) {
        return add({.field = Field::kProto, .from = *proto}, place);
      }
      return refuse_field(place, word);
    }
    Condition condition{.field = found->field};
    if (is_address_field(found->field)) {  // `src port 80`, as packet filters have it
      const std::size_t back = at_;
      if (lower(bare_word()) == "port" && found->field != Field::kHost) {
        condition.field = found->field == Field::kSrc ? Field::kSrcPort : Field::kDstPort;
      } else {
        at_ = back;
      }
    }
    const std::size_t comparison_at = at_;
    for (const ComparisonName& name : kComparisons) {
      if (!take_symbol(name.name)) continue;
      condition.comparison = name.comparison;
      break;
    }
    const bool ordered =
        condition.comparison != Comparison::kEqual && condition.comparison != Comparison::kNotEqual;
    if (ordered && !is_number_field(condition.field) && !is_port_field(condition.field)) {
      return refuse(comparison_at, fmt::format("`{}` is equal or not equal (`=`, `!=`)", word));
    }
    const std::size_t value_at = at_;
    bool quoted = false;
    const std::string value = this->value(quoted);
    if (!fault_.empty()) return std::nullopt;
    if (value.empty() && !quoted) return refuse(value_at, fmt::format("`{}` needs a value", word));
    return read_value(condition, value, value_at);
  }

  Index read_value(Condition condition, const std::string& value, std::size_t place) {
    if (condition.field == Field::kProto) {
      const auto proto = protocol_of(value);
      if (!proto)
        return refuse(
            place, fmt::format("`{}` is no protocol: write tcp, udp, icmp, … or a number up to 255", value));
      condition.from = *proto;
    } else if (condition.field == Field::kClass) {
      const auto traffic_class = class_of(value);
      if (!traffic_class)
        return refuse(place, fmt::format("`{}` is no class: write virtual, subnet, exit or physical", value));
      condition.from = static_cast<std::uint64_t>(*traffic_class);
    } else if (is_number_field(condition.field)) {
      const auto amount = amount_of(value);
      if (!amount) return refuse(place, fmt::format("`{}` is no amount: write 1500, 64K, 1M or 2Gi", value));
      condition.from = *amount;
    } else if (is_port_field(condition.field)) {
      return read_ports(std::move(condition), value, place);
    } else if (const auto prefix =
                   is_address_field(condition.field) ? model::parse_prefix(value) : std::nullopt) {
      condition.prefix = *prefix;
    } else {
      if (is_address_field(condition.field) && looks_like_address(value)) {
        return refuse(
            place, fmt::format("`{}` is no address: write 100.64.0.1, 10.0.0.0/8, fd7a::/16 or a node's name",
                               value));
      }
      condition.text = lower(value);
      filter_.needs_nodes_ = true;
    }
    return add(std::move(condition), place);
  }

  Index read_ports(Condition condition, const std::string& value, std::size_t place) {
    const std::size_t dash = value.find('-');
    const bool is_range =
        dash != std::string::npos && value.find_first_not_of("0123456789-") == std::string::npos;
    const auto from = port_of(is_range ? std::string_view(value).substr(0, dash) : std::string_view(value));
    const auto to = is_range ? port_of(std::string_view(value).substr(dash + 1)) : from;
    if (!from || !to || *from > *to) {
      return refuse(place,
                    fmt::format("`{}` is no port: write 443, 8000-8100 or a service such as https", value));
    }
    const bool ordered =
        condition.comparison != Comparison::kEqual && condition.comparison != Comparison::kNotEqual;
    if (ordered && *from != *to) return refuse(place, "a range is equal or not equal (`=`, `!=`)");
    condition.from = *from;
    condition.to = *to;
    return add(std::move(condition), place);
  }

  /// What was meant to be an address and is none; names of nodes have letters beyond those of numbers.
  static bool looks_like_address(const std::string& value) {
    return value.find(':') != std::string::npos || value.find('/') != std::string::npos ||
           value.find_first_not_of("0123456789.") == std::string::npos;
  }

  Index join(Filter::Kind kind, const Index& left, const Index& right) {
    if (!left || !right) return std::nullopt;
    return add({.kind = kind, .left = *left, .right = *right}, at_);
  }

  Index add(Filter::Term term, std::size_t place) {
    if (filter_.terms_.size() >= kFilterTermsMax) {
      return refuse(place, fmt::format("the filter has more than {} parts", kFilterTermsMax));
    }
    filter_.terms_.push_back(term);
    return filter_.terms_.size() - 1;
  }

  Index add(Condition condition, std::size_t place) {
    filter_.conditions_.push_back(std::move(condition));
    return add({.kind = Filter::Kind::kCondition, .left = filter_.conditions_.size() - 1}, place);
  }

  // ---- words

  void skip_spaces() { at_ = std::min(text_.find_first_not_of(kSpaces, at_), text_.size()); }

  bool take_symbol(std::string_view symbol) {
    if (!text_.substr(at_).starts_with(symbol)) return false;
    at_ += symbol.size();
    skip_spaces();
    return true;
  }

  std::string_view bare_word() {
    const std::size_t end = std::min(text_.find_first_of(kEndOfWord, at_), text_.size());
    const std::string_view word = text_.substr(at_, end - at_);
    at_ = end;
    skip_spaces();
    return word;
  }

  bool take_word(std::string_view word) {
    const std::size_t back = at_;
    if (lower(bare_word()) == word) return true;
    at_ = back;
    return false;
  }

  /// A word, or a text in double quotes in which `\"` and `\\` stand for themselves.
  std::string value(bool& quoted) {
    quoted = at_ < text_.size() && text_[at_] == '"';
    if (!quoted) return std::string(bare_word());
    const std::size_t place = at_++;
    std::string value;
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      value += text_[at_];
    }
    if (at_ == text_.size()) {
      refuse(place, "a quote is not closed");
      return {};
    }
    ++at_;
    skip_spaces();
    return value;
  }

  // ---- faults

  Index refuse_field(std::size_t place, const std::string& word) {
    std::vector<std::string_view> words{"and", "or", "not", "tcp", "udp", "icmp"};
    for (const FieldName& field : kFields) words.push_back(field.name);
    return refuse(place, fmt::format("`{}` is no field{}", word, did_you_mean(word, words)));
  }

  /// Keeps the first fault: the text, a caret below its place, what is wrong.
  Index refuse(std::size_t place, std::string_view what) {
    if (!fault_.empty()) return std::nullopt;
    std::string shown(text_);
    std::ranges::replace_if(
        shown, [](char character) { return static_cast<unsigned char>(character) < ' '; }, ' ');
    fault_ = fmt::format("the filter is wrong at column {}: {}\n  {}\n  {:>{}}", place + 1, what, shown, "^",
                         place + 1);
    return std::nullopt;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Filter filter_;
  std::string fault_;
};

base::Result<Filter> Filter::parse(std::string_view text) { return FilterParser(text).parse(); }

namespace {

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') out += '\\';
    out += character;
  }
  return out + '"';
}

std::string value_text(const Condition& condition) {
  if (condition.field == Field::kProto) return fmt::format("{}", condition.from);
  if (condition.field == Field::kClass)
    return std::string(class_name(static_cast<model::TrafficClass>(condition.from)));
  if (is_number_field(condition.field)) return fmt::format("{}", condition.from);
  if (is_port_field(condition.field)) {
    return condition.from == condition.to ? fmt::format("{}", condition.from)
                                          : fmt::format("{}-{}", condition.from, condition.to);
  }
  if (!condition.prefix.address.valid()) return in_quotes(condition.text);
  return fmt::format("{}/{}", record::to_text(condition.prefix.address), condition.prefix.bits);
}

std::string condition_text(const Condition& condition) {
  const auto* const comparison =
      std::ranges::find(kComparisons, condition.comparison, &ComparisonName::comparison);
  const std::string_view written = condition.comparison == Comparison::kEqual ? "=" : comparison->name;
  return fmt::format("{} {} {}", name_of(condition.field), written, value_text(condition));
}

}  // namespace

std::string Filter::text() const { return empty() ? std::string() : text(terms_.size() - 1, Kind::kOr); }

/// `around`: what the term stands in; parentheses where it binds less.
std::string Filter::text(std::size_t at, Kind around) const {
  const Term& term = terms_[at];
  switch (term.kind) {
    case Kind::kCondition: return condition_text(conditions_[term.left]);
    case Kind::kNot: return "not " + text(term.left, Kind::kNot);
    case Kind::kAnd: {
      const std::string both = text(term.left, Kind::kAnd) + " and " + text(term.right, Kind::kAnd);
      return around == Kind::kNot ? "(" + both + ")" : both;
    }
    case Kind::kOr: {
      const std::string either = text(term.left, Kind::kOr) + " or " + text(term.right, Kind::kOr);
      return around == Kind::kOr ? either : "(" + either + ")";
    }
  }
  return {};
}

}  // namespace flowtally::query
