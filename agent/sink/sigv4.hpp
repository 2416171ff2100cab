// This file signs requests as AWS's Signature Version 4 wants them signed. Pure: the time is given.
//
// Source: "Signature Version 4 signing process" and "Authenticating Requests (AWS Signature Version 4)" in
// AWS's documentation; the worked examples there are the tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/sink_settings.hpp"

namespace flowtally::sink {

struct SigningKeys {
  std::string access_key{};
  model::Secret secret_key{};
  model::Secret session_token{};  ///< may be empty
  std::string region{};
  std::string service{"s3"};
};

struct RequestToSign {
  std::string method{"PUT"};
  std::string host{};                                          ///< as the Host header has it, with a port
  std::string path{"/"};                                       ///< encoded already, as it is sent
  std::vector<std::pair<std::string, std::string>> query{};    ///< not encoded
  std::vector<std::pair<std::string, std::string>> headers{};  ///< that are signed; neither host nor x-amz-*
  std::string payload_hash{};                                  ///< sha256_hex() of the body
};

/// What is sent beside the request's own headers: x-amz-date, x-amz-content-sha256, x-amz-security-token
/// where there is one, authorization. For other services than s3 the hash is signed, but not a header.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> sign(const RequestToSign& request,
                                                                    const SigningKeys& keys,
                                                                    std::int64_t wall_seconds);

[[nodiscard]] std::string sha256_hex(std::string_view bytes);

/// Percent encoding of all but letters, digits, "-", ".", "_" and "~"; a slash stays in a path.
[[nodiscard]] std::string uri_encoded(std::string_view text, bool in_path);

}  // namespace flowtally::sink
