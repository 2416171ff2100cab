// This file reads the agent's JSON: small answers whole, long ones one element of their list at a time.
// Nothing is taken for granted: an older or a newer agent may leave out any field, and what is not there
// reads as nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace flowtally::cli {

/// The longest answer that is read whole, and the longest element of a list.
inline constexpr std::size_t kDocumentBytesMax = std::size_t{4} << 20U;

struct JsonField {
  enum class Kind : std::uint8_t { kText, kNumber, kOther };
  std::string name{};
  Kind kind = Kind::kOther;
  std::string text{};  ///< of kText
  std::uint64_t number = 0;
};

/// A JSON value that was read whole. Places are JSON pointers (RFC 6901): "/interfaces/0/name". Immutable
/// after read().
class JsonDocument {
 public:
  JsonDocument();
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;
  ~JsonDocument();

  /// Replaces what was read before, and keeps the buffers. kCorrupt: this is no JSON.
  [[nodiscard]] base::Status read(std::string_view text);

  [[nodiscard]] bool has(std::string_view place) const;
  [[nodiscard]] std::string text(std::string_view place) const;      ///< empty: not there
  [[nodiscard]] std::uint64_t number(std::string_view place) const;  ///< 0: not there
  [[nodiscard]] double seconds(std::string_view place) const;        ///< 0: not there
  [[nodiscard]] bool flag(std::string_view place) const;             ///< false: not there
  /// Elements of a list, or fields of an object; 0: not there.
  [[nodiscard]] std::size_t size(std::string_view place) const;
  /// Texts of a list.
  [[nodiscard]] std::vector<std::string> texts(std::string_view place) const;
  /// Fields of an object, in their order; "" is the whole.
  [[nodiscard]] std::vector<JsonField> fields(std::string_view place) const;

 private:
  struct Parsed;
  std::unique_ptr<Parsed> parsed_;
};

/// `{"message":"…"}`: the text, made safe for a terminal; empty where it is something else.
[[nodiscard]] std::string message_of(std::string_view body);

/// Reads an object that has one long list, such as {"columns":[…],"rows":[{…},…],"summary":{…}}, in pieces as
/// they come. Memory: one element and what stands around the list. Not thread-safe.
class ListScanner {
 public:
  /// `list` is the name of the list in the outermost object. `begin` gets what stood before it, as a whole
  /// object, with the list empty; `element` the text of each of its objects; false ends it.
  ListScanner(std::string list, std::function<bool(std::string_view before)> begin,
              std::function<bool(std::string_view element)> element);

  /// False: a callback said so, or error() says why.
  [[nodiscard]] bool feed(std::string_view piece);
  /// The whole object, with the list empty; nothing where the end has not come.
  [[nodiscard]] std::optional<std::string_view> frame() const noexcept;
  [[nodiscard]] const std::optional<base::Error>& error() const noexcept { return error_; }

 private:
  enum class Place : std::uint8_t { kBefore, kInList, kAfter, kDone };

  [[nodiscard]] bool take_quoted(char c);
  [[nodiscard]] bool take(char c);
  [[nodiscard]] bool keep(std::string& into, char c);
  [[nodiscard]] bool open(char c);
  [[nodiscard]] bool close(char c);

  std::string opening_;  ///< "\"rows\":["
  std::function<bool(std::string_view)> begin_;
  std::function<bool(std::string_view)> element_;
  Place place_ = Place::kBefore;
  unsigned depth_ = 0;
  bool in_text_ = false;
  bool escaped_ = false;
  std::string frame_;
  std::string now_;  ///< the element
  std::optional<base::Error> error_;
};

}  // namespace flowtally::cli
