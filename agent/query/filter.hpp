// This file is the filter language: `proto tcp and dst 100.64.0.0/10 and port 443 and bytes > 1M`.
// docs/formats/query.md has the grammar.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "journal/term_filter.hpp"
#include "model/address.hpp"
#include "query/line.hpp"

namespace flowtally::query {

inline constexpr std::size_t kFilterBytesMax = 4096;
inline constexpr std::size_t kFilterTermsMax = 256;  ///< conditions, `and`s, `or`s and `not`s
inline constexpr std::size_t kFilterDepthMax = 64;   ///< of parentheses and `not`s

/// What is asked for of a connection.
enum class Field : std::uint8_t {
  kProto,
  kSrc,
  kDst,
  kHost,
  kSrcPort,
  kDstPort,
  kPort,
  kBytes,
  kPackets,
  kTxBytes,
  kRxBytes,
  kTxPackets,
  kRxPackets,
  kNode,
  kPeer,
  kUser,
  kTag,
  kClass,
};

enum class Comparison : std::uint8_t { kEqual, kNotEqual, kLess, kLessOrEqual, kGreater, kGreaterOrEqual };

/// One condition. Which of the values counts depends on the field.
struct Condition {
  Field field = Field::kProto;
  Comparison comparison = Comparison::kEqual;
  std::uint64_t from = 0;  ///< number; of a range of ports the first
  std::uint64_t to = 0;    ///< of a range of ports the last
  model::Prefix prefix{};  ///< of addresses; not valid: `text` is a node's name
  std::string text{};      ///< a name in lower case, in which '*' stands for anything
};

/// A filter as it was read. Empty: everything matches. Immutable; any thread may ask it.
class Filter {
 public:
  /// Of an empty or blank text the filter that matches everything. kInvalidArgument: the text shows the place
  /// with a caret and says what is allowed there.
  [[nodiscard]] static base::Result<Filter> parse(std::string_view text);

  [[nodiscard]] bool empty() const noexcept { return terms_.empty(); }
  [[nodiscard]] bool matches(const Line& line, const Connection& connection) const;
  /// False: no connection of a frame with these terms matches.
  [[nodiscard]] bool may_match(const journal::TermFilter& frame) const;
  /// False: no connection of a record with this text matches.
  [[nodiscard]] bool may_match(std::string_view line) const;
  /// Asks for names, users or tags: lines have to be read with Nodes::kYes.
  [[nodiscard]] bool needs_nodes() const noexcept { return needs_nodes_; }
  /// A text that reads as the same filter.
  [[nodiscard]] std::string text() const;

 private:
  friend class FilterParser;

  enum class Kind : std::uint8_t { kCondition, kAnd, kOr, kNot };
  /// A condition by its number, or an operation on earlier terms; the last term is the whole filter.
  struct Term {
    Kind kind = Kind::kCondition;
    std::size_t left = 0;
    std::size_t right = 0;
  };

  [[nodiscard]] bool matches(std::size_t term, const Line& line, const Connection& connection) const;
  [[nodiscard]] bool may_match(std::size_t term, const journal::TermFilter& frame) const;
  [[nodiscard]] std::string text(std::size_t term, Kind around) const;
  void find_needles();

  std::vector<Term> terms_;
  std::vector<Condition> conditions_;
  bool needs_nodes_ = false;
  std::vector<std::string> needles_;  ///< a matching line has one of them; empty: nothing is known
};

}  // namespace flowtally::query
