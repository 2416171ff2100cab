#include "identity/bus.hpp"

#include <algorithm>
#include <charconv>

#include <simdjson.h>

namespace flowtally::identity {
namespace {

namespace dom = simdjson::dom;

/// Fields of ipn.Notify without news for us, besides those that are null.
constexpr std::string_view kPassedOver[] = {"Version", "SessionID", "PeerChangedPatch", "Engine", "Health"};

bool says_more(std::string_view message) {
  dom::parser parser;
  dom::object fields;
  if (parser.parse(message.data(), message.size()).get(fields) != simdjson::SUCCESS) return true;
  return std::any_of(fields.begin(), fields.end(), [](const dom::key_value_pair field) {
    return !field.value.is_null() &&
           std::ranges::find(kPassedOver, field.key) == std::ranges::end(kPassedOver);
  });
}

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

}  // namespace

unsigned bus_mask(std::string_view version) noexcept {
  const auto number = [](std::string_view text) {
    unsigned value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  const std::size_t dot = version.find('.');
  if (dot == std::string_view::npos) return kBusMaskRateLimited;
  const unsigned major = number(version.substr(0, dot));
  const unsigned minor = number(version.substr(dot + 1));
  return major > 1 || (major == 1 && minor >= 100) ? kBusMaskPatches : kBusMaskRateLimited;
}

bool BusReader::feed(std::string_view bytes) {
  bool changed = false;
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    if (line_.size() + end > kBusMessageBytesMax) too_long_ = true;
    if (!too_long_) line_ += bytes.substr(0, end);
    if (end == bytes.size()) break;
    bytes.remove_prefix(end + 1);
    if (too_long_ || !is_blank(line_)) {
      ++messages_;
      changed = too_long_ || says_more(line_) || changed;
    }
    line_.clear();
    too_long_ = false;
  }
  return changed;
}

}  // namespace flowtally::identity
