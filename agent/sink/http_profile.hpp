// This file is what receivers that speak plain HTTP have of their own: where they listen, how they want a
// token and a body, how much at once, and what they say in a 200. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/sink_settings.hpp"
#include "sink/http_sender.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

struct HttpProfile {
  std::string_view name{};
  std::string_view path{};          ///< added where the address does not end in it; empty: as it is
  std::string_view token_header{};  ///< "DD-API-KEY: "; empty: Authorization: Bearer
  model::HttpSettings::Body body = model::HttpSettings::Body::kNdjson;
  std::string_view content_type = "application/x-ndjson";
  std::uint64_t items_max = 5000;
  std::uint64_t bytes_max = std::uint64_t{512} << 10U;
  std::uint64_t item_bytes_max = std::uint64_t{1} << 20U;
  bool envelope = false;  ///< items as Splunk's collector takes them, which is how Tailscale streams
  bool zstd = true;       ///< takes bodies compressed with it
  /// Looks into an answer that is a success by its status, or a refusal; null: nothing more to see.
  void (*judge)(const HttpAnswer& answer, std::size_t count, Outcome& outcome) = nullptr;
};

/// Null: there is none of that name. The empty name is the plain one.
[[nodiscard]] const HttpProfile* http_profile(std::string_view name) noexcept;

}  // namespace flowtally::sink
