#include "query/filter.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "query/names.hpp"
#include "query/terms.hpp"
#include "record/text.hpp"

namespace flowtally::query {
namespace {

bool compare(std::uint64_t value, Comparison comparison, std::uint64_t with) noexcept {
  switch (comparison) {
    case Comparison::kEqual: return value == with;
    case Comparison::kNotEqual: return value != with;
    case Comparison::kLess: return value < with;
    case Comparison::kLessOrEqual: return value <= with;
    case Comparison::kGreater: return value > with;
    case Comparison::kGreaterOrEqual: return value >= with;
  }
  return false;
}

bool port_matches(std::uint16_t port, const Condition& condition) noexcept {
  switch (condition.comparison) {
    case Comparison::kEqual: return port >= condition.from && port <= condition.to;
    case Comparison::kNotEqual: return port < condition.from || port > condition.to;
    default: return compare(port, condition.comparison, condition.from);
  }
}

bool address_matches(const model::Address& address, const Line& line, const Condition& condition) noexcept {
  if (condition.prefix.address.valid()) return condition.prefix.contains(address);
  const model::RecordNode* const node = line.node_of(address);
  return node != nullptr &&
         (name_matches(condition.text, node->name) || glob_matches(condition.text, node->id));
}

bool node_matches(const model::RecordNode* node, const Condition& condition) noexcept {
  return node != nullptr &&
         (name_matches(condition.text, node->name) || glob_matches(condition.text, node->id));
}

/// True for a condition that holds where it is not equal.
bool negated(const Condition& condition) noexcept { return condition.comparison == Comparison::kNotEqual; }

bool text_condition_holds(const Condition& condition, const Line& line, const Connection& connection) {
  const model::RecordNode* const own = line.reporting();
  const model::RecordNode* const peer = line.peer_of(connection);
  const auto either = [&](auto holds) {
    return (own != nullptr && holds(*own)) || (peer != nullptr && holds(*peer));
  };
  switch (condition.field) {
    case Field::kNode: return node_matches(own, condition) || glob_matches(condition.text, line.node_id);
    case Field::kPeer: return node_matches(peer, condition);
    case Field::kUser:
      return either([&](const model::RecordNode& node) { return glob_matches(condition.text, node.user); });
    case Field::kTag:
      return either([&](const model::RecordNode& node) {
        return std::ranges::any_of(node.tags, [&](std::string_view tag) {
          return glob_matches(condition.text, tag) ||
                 (tag.starts_with("tag:") && glob_matches(condition.text, tag.substr(4)));
        });
      });
    default: return false;
  }
}

bool condition_holds(const Condition& condition, const Line& line, const Connection& connection) {
  const model::Flow& flow = connection.flow;
  const model::Counters& counters = flow.counters;
  const auto number = [&](std::uint64_t value) {
    return compare(value, condition.comparison, condition.from);
  };
  const auto address = [&](bool holds) { return holds != negated(condition); };
  switch (condition.field) {
    case Field::kProto: return number(flow.proto);
    case Field::kSrc: return address(address_matches(flow.local.address, line, condition));
    case Field::kDst: return address(address_matches(flow.remote.address, line, condition));
    case Field::kHost:
      return address(address_matches(flow.local.address, line, condition) ||
                     address_matches(flow.remote.address, line, condition));
    case Field::kSrcPort: return port_matches(flow.local.port, condition);
    case Field::kDstPort: return port_matches(flow.remote.port, condition);
    case Field::kPort:
      // "Not equal" means that neither of them is.
      if (negated(condition))
        return port_matches(flow.local.port, condition) && port_matches(flow.remote.port, condition);
      return port_matches(flow.local.port, condition) || port_matches(flow.remote.port, condition);
    case Field::kBytes: return number(counters.tx_bytes + counters.rx_bytes);
    case Field::kPackets: return number(counters.tx_packets + counters.rx_packets);
    case Field::kTxBytes: return number(counters.tx_bytes);
    case Field::kRxBytes: return number(counters.rx_bytes);
    case Field::kTxPackets: return number(counters.tx_packets);
    case Field::kRxPackets: return number(counters.rx_packets);
    case Field::kClass: return number(static_cast<std::uint64_t>(connection.traffic_class));
    case Field::kNode:
    case Field::kPeer:
    case Field::kUser:
    case Field::kTag: return text_condition_holds(condition, line, connection) != negated(condition);
  }
  return false;
}

bool frame_may_have(const Condition& condition, const journal::TermFilter& frame) {
  if (condition.comparison != Comparison::kEqual) return true;
  switch (condition.field) {
    case Field::kSrc:
    case Field::kDst:
    case Field::kHost: {
      if (!condition.prefix.address.valid()) return true;
      if (condition.prefix.is_single()) return frame.may_contain(address_term(condition.prefix.address));
      const bool v4 = condition.prefix.address.family == model::Address::Family::kV4;
      return condition.prefix.bits < (v4 ? kTermBits4 : kTermBits6) ||
             frame.may_contain(block_term(condition.prefix.address));
    }
    case Field::kSrcPort:
    case Field::kDstPort:
    case Field::kPort: {
      constexpr std::uint64_t kPortsAsked = 16;  // a range of more is asked for in vain
      if (condition.to - condition.from >= kPortsAsked) return true;
      for (std::uint64_t port = condition.from; port <= condition.to; ++port) {
        if (frame.may_contain(port_term(static_cast<std::uint16_t>(port)))) return true;
      }
      return false;
    }
    default: return true;
  }
}

/// What every line with a connection that matches has in its text; nothing where nothing is known. Only texts
/// that have one form: an IPv4 address, a port that is none of many.
std::optional<std::string> needle_of(const Condition& condition) {
  if (condition.comparison != Comparison::kEqual) return std::nullopt;
  switch (condition.field) {
    case Field::kSrc:
    case Field::kDst:
    case Field::kHost:
      if (condition.prefix.address.family != model::Address::Family::kV4 || !condition.prefix.is_single())
        return std::nullopt;
      return '"' + record::to_text(condition.prefix.address) + ':';
    case Field::kSrcPort:
    case Field::kDstPort:
    case Field::kPort:
      if (condition.from != condition.to || condition.from == 0) return std::nullopt;
      return fmt::format(":{}\"", condition.from);
    default: return std::nullopt;
  }
}

}  // namespace

bool Filter::matches(const Line& line, const Connection& connection) const {
  return empty() || matches(terms_.size() - 1, line, connection);
}

bool Filter::matches(std::size_t at, const Line& line, const Connection& connection) const {
  const Term& term = terms_[at];
  switch (term.kind) {
    case Kind::kCondition: return condition_holds(conditions_[term.left], line, connection);
    case Kind::kAnd: return matches(term.left, line, connection) && matches(term.right, line, connection);
    case Kind::kOr: return matches(term.left, line, connection) || matches(term.right, line, connection);
    case Kind::kNot: return !matches(term.left, line, connection);
  }
  return false;
}

bool Filter::may_match(const journal::TermFilter& frame) const {
  return empty() || may_match(terms_.size() - 1, frame);
}

bool Filter::may_match(std::size_t at, const journal::TermFilter& frame) const {
  const Term& term = terms_[at];
  switch (term.kind) {
    case Kind::kCondition: return frame_may_have(conditions_[term.left], frame);
    case Kind::kAnd: return may_match(term.left, frame) && may_match(term.right, frame);
    case Kind::kOr: return may_match(term.left, frame) || may_match(term.right, frame);
    case Kind::kNot: return true;  // what a frame may have says nothing about what it has besides
  }
  return true;
}

bool Filter::may_match(std::string_view line) const {
  return needles_.empty() || std::ranges::any_of(needles_, [line](const std::string& needle) {
           // Not find(): that stops at each quotation mark, and a line has thousands.
           return ::memmem(line.data(), line.size(), needle.data(), needle.size()) != nullptr;
         });
}

void Filter::find_needles() {
  // Of each term the texts of which one must be there; empty: nothing is known.
  std::vector<std::vector<std::string>> needles(terms_.size());
  for (std::size_t at = 0; at < terms_.size(); ++at) {
    const Term& term = terms_[at];
    switch (term.kind) {
      case Kind::kCondition:
        if (auto needle = needle_of(conditions_[term.left])) needles[at].push_back(std::move(*needle));
        break;
      case Kind::kAnd: {
        const auto& left = needles[term.left];
        const auto& right = needles[term.right];
        const bool take_left = !left.empty() && (right.empty() || left.size() <= right.size());
        needles[at] = take_left ? left : right;
        break;
      }
      case Kind::kOr:
        if (needles[term.left].empty() || needles[term.right].empty()) break;
        needles[at] = needles[term.left];
        needles[at].insert(needles[at].end(), needles[term.right].begin(), needles[term.right].end());
        break;
      case Kind::kNot: break;
    }
  }
  constexpr std::size_t kNeedlesMax = 4;  // to look for more costs more than to read the line
  if (!needles.empty() && needles.back().size() <= kNeedlesMax) needles_ = std::move(needles.back());
}

}  // namespace flowtally::query
