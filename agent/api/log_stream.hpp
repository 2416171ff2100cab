// This file is a log stream as Tailscale's API has it (`…/logging/TYPE/stream`): the fields that a client
// PUTs, checked, and given back as they came. Terraform's provider plans a change for ever where a field is
// filled in, dropped or written differently.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace flowtally::api {

/// Of the body of a PUT.
inline constexpr std::size_t kStreamBytesMax = std::size_t{64} << 10U;

class LogStream {
 public:
  /// kInvalidArgument: no JSON object, a field of the wrong kind, an unknown destination, a destination
  /// without what it needs. Names that Tailscale's API does not have are passed over.
  [[nodiscard]] static base::Result<LogStream> parse(std::string_view body);

  /// The text of a field; empty where it was not sent.
  [[nodiscard]] std::string text(std::string_view name) const;
  /// 0 where it was not sent.
  [[nodiscard]] std::uint64_t number(std::string_view name) const;

  enum class Secrets : std::uint8_t {
    kLeftOut,  ///< for clients: token and s3SecretAccessKey never come back
    kMasked,   ///< for the audit log: "***" for whatever holds a secret
    kShown,    ///< for the file that only we read
  };
  /// A JSON object with the fields in the order they came in, `log_type` first unless it is empty.
  [[nodiscard]] std::string json(Secrets secrets, std::string_view log_type) const;

 private:
  struct Field {
    std::string name;
    std::string json;  ///< of its value
    std::string text;  ///< of a string
    std::uint64_t number = 0;
  };
  [[nodiscard]] const Field* find(std::string_view name) const noexcept;
  [[nodiscard]] base::Status check() const;

  std::vector<Field> fields_;
};

}  // namespace flowtally::api
