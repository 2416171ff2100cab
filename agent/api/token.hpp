// This file is the one secret of the API: the token that TCP clients must have, from a file.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace flowtally::api {

inline constexpr std::size_t kTokenBytesMin = 16;
inline constexpr std::size_t kTokenBytesMax = 512;

class Token {
 public:
  /// One line of visible ASCII. kPermission: others may read the file. kInvalidArgument: no such token.
  [[nodiscard]] static base::Result<Token> load(const std::string& path);

  /// "Bearer TOKEN", or "Basic" with the token as the user and any password. Takes as long for a wrong token
  /// as for the right one.
  [[nodiscard]] bool allows(std::string_view authorization) const;

 private:
  explicit Token(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] bool equals(std::string_view candidate) const noexcept;

  std::string text_;
};

/// Standard alphabet, padding as it should be; empty where the text is none.
[[nodiscard]] std::string decode_base64(std::string_view text);

}  // namespace flowtally::api
