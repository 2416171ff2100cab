// This file writes JSON that is not a record: status, peers, devices. Names are ours and need no escaping;
// what comes from outside is a value.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace flowtally::api {

/// Appends to one text. The caller opens and closes in pairs.
class JsonText {
 public:
  JsonText& begin(std::string_view name = {}) { return open(name, '{'); }
  JsonText& end() { return close('}'); }
  JsonText& begin_list(std::string_view name = {}) { return open(name, '['); }
  JsonText& end_list() { return close(']'); }

  JsonText& text(std::string_view name, std::string_view value);
  JsonText& number(std::string_view name, std::uint64_t value);
  JsonText& decimal(std::string_view name, double value);
  JsonText& flag(std::string_view name, bool value);
  JsonText& seconds(std::string_view name, std::int64_t ns);
  /// RFC 3339.
  JsonText& time(std::string_view name, std::int64_t wall_ns);
  /// An element of a list.
  JsonText& element(std::string_view value);
  /// What is JSON already, as an element of a list.
  JsonText& raw_element(std::string_view json);

  [[nodiscard]] std::size_t size() const noexcept { return out_.size(); }
  /// What was written so far; empty after that.
  [[nodiscard]] std::string take();

 private:
  JsonText& open(std::string_view name, char bracket);
  JsonText& close(char bracket);
  void put_name(std::string_view name);

  std::string out_;
  bool first_ = true;  ///< no comma before the next
};

}  // namespace flowtally::api
