// This file reads the recorded answers of tailscaled, and changes one place of them at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "model/address_text.hpp"
#include "support/catch.hpp"
#include "test_paths.h"

namespace flowtally::identity {

inline std::string file_text(const std::string& path) {
  std::ifstream file(std::string(FLOWTALLY_SOURCE_DIR) + "/" + path);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string golden(const std::string& name) { return file_text("tests/golden/identity/" + name); }

/// `text` with its one `from` replaced.
inline std::string with(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  REQUIRE(text.find(from, at + 1) == std::string::npos);
  return text.replace(at, from.size(), to);
}

/// A member of an object, or an entry of a list, as places in the text.
struct JsonPlace {
  std::size_t begin = 0;  ///< of the key, or of the value where there is none
  std::size_t value = 0;
  std::size_t end = 0;
};

/// Every value of a JSON text that is valid.
class JsonPlaces {
 public:
  explicit JsonPlaces(std::string_view text) : text_(text) { skip_value(); }
  [[nodiscard]] const std::vector<JsonPlace>& places() const { return places_; }

 private:
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  void skip_string() {
    for (++at_; text_.at(at_) != '"'; ++at_) {
      if (text_.at(at_) == '\\') ++at_;
    }
    ++at_;
  }
  void skip_members(char last, bool keys) {
    ++at_;
    for (skip_space(); text_.at(at_) != last; skip_space()) {
      if (text_.at(at_) == ',') {
        ++at_;
        continue;
      }
      JsonPlace place{.begin = at_};
      if (keys) {
        skip_string();
        at_ = text_.find(':', at_) + 1;
        skip_space();
      }
      place.value = at_;
      skip_value();
      place.end = at_;
      places_.push_back(place);
    }
    ++at_;
  }
  void skip_value() {
    skip_space();
    const char first = text_.at(at_);
    if (first == '{') {
      skip_members('}', true);
    } else if (first == '[') {
      skip_members(']', false);
    } else if (first == '"') {
      skip_string();
    } else {
      at_ = std::min(text_.find_first_of(",]} \t\r\n", at_), text_.size());
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<JsonPlace> places_;
};

inline model::Address address(std::string_view text) {
  const auto parsed = model::parse_address(text);
  REQUIRE(parsed);
  return *parsed;
}
inline model::Prefix prefix(std::string_view text) {
  const auto parsed = model::parse_prefix(text);
  REQUIRE(parsed);
  return *parsed;
}
inline model::Endpoint endpoint(std::string_view text) {
  const auto parsed = model::parse_endpoint(text);
  REQUIRE(parsed);
  return *parsed;
}

}  // namespace flowtally::identity
