// This file is the value of one key, and what a key may have as its value: the kinds of values, their limits,
// how they are read from text, written as text and described to an editor. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "model/sink_settings.hpp"

namespace flowtally::config {

inline constexpr std::size_t kTextBytesMax = 4096;  ///< of one value
inline constexpr std::size_t kListMax = 64;         ///< entries of a list or a map of texts

enum class ValueType : std::uint8_t {
  kFlag,
  kNumber,
  kSize,
  kTime,
  kWord,       ///< one of `words`
  kText,       ///< one line
  kPath,       ///< of a file, absolute
  kOutput,     ///< the same, or "-"
  kUrl,        ///< http or https, without a password in it
  kEndpoint,   ///< HOST:PORT
  kEndpoints,  ///< several with commas between
  kInterface,  ///< name of a network device
  kNodeId,
  kTopic,
  kBucket,  ///< of S3
  kFilter,  ///< of the query language
  kSecret,
  kWords,       ///< a list of `words`, each once
  kStatuses,    ///< a list of HTTP statuses
  kInterfaces,  ///< a list of them
  kLabels,      ///< a map of names and texts
  kProperties,  ///< the same, of librdkafka
  kHeaders,     ///< a map of HTTP header names and values
};

using Texts = std::vector<std::string>;
using TextPairs = std::vector<std::pair<std::string, std::string>>;
/// Times are milliseconds, sizes bytes, words their text.
using Value = std::variant<bool, std::uint64_t, std::string, Texts, TextPairs, model::Secret, model::Headers>;

/// One key: the one place that says what it is called, what it takes, and what it is for.
struct KeyInfo {
  std::string_view path{};  ///< below its map: "underlay.enabled"
  ValueType type = ValueType::kText;
  std::string_view about{};     ///< a sentence without its full stop
  std::string_view fallback{};  ///< what holds where nothing is said; empty: nothing, or the sink's own
  std::span<const std::string_view> words{};
  std::uint64_t min = 0;  ///< of numbers, sizes and times
  std::uint64_t max = UINT64_MAX;
  bool required = false;
};

/// The problem is what is wrong and what would do, as one phrase; it shows nothing of the text.
using Problem = std::string;

[[nodiscard]] bool is_list(ValueType type) noexcept;
[[nodiscard]] bool is_map(ValueType type) noexcept;
/// The key whose file has the value: "token_file" of a secret "token", "header_files" of "headers".
[[nodiscard]] std::string file_key_of(const KeyInfo& key);

/// Of the types that are neither list nor map.
[[nodiscard]] std::expected<Value, Problem> read_scalar(const KeyInfo& key, std::string_view text);
[[nodiscard]] std::expected<Value, Problem> read_list(const KeyInfo& key, std::span<const std::string> texts);
/// One name and value of a map.
[[nodiscard]] std::expected<void, Problem> check_pair(const KeyInfo& key, std::string_view name,
                                                      std::string_view value);
/// Names of headers that say who one is.
[[nodiscard]] bool is_credential_header(std::string_view name);

/// Nothing is said by it: an empty text, list or map, a secret of no characters; 0 where 0 is not allowed.
[[nodiscard]] bool says_nothing(const KeyInfo& key, const Value& value);

enum class SecretsShown : std::uint8_t { kNo, kYes };
inline constexpr std::string_view kMask = "***";

/// As YAML; in words that read_scalar() and the reader of files take.
[[nodiscard]] std::string yaml_text(const KeyInfo& key, const Value& value, SecretsShown secrets);
/// As JSON, with secrets masked.
[[nodiscard]] std::string json_text(const KeyInfo& key, const Value& value);

/// In quotation marks, as JSON has it, which YAML reads too.
[[nodiscard]] std::string json_string(std::string_view text);

/// Valid UTF-8 without control characters.
[[nodiscard]] bool is_one_line(std::string_view text) noexcept;

}  // namespace flowtally::config
