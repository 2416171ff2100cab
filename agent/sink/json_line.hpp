// This file appends JSON to a text, member by member, without a copy in between: millions of items go through
// it. Names are ours and need no escaping.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/address.hpp"
#include "record/text.hpp"

namespace flowtally::sink {

/// Opens and closes in pairs; does not check that.
class JsonLine {
 public:
  explicit JsonLine(std::string& out) : out_(out) { open(); }

  void begin(std::string_view name) {
    put_name(name);
    open();
  }
  void end() {
    out_ += '}';
    first_ = false;
  }

  void text(std::string_view name, std::string_view value) {
    put_name(name);
    record::append_json_string(value, out_);
  }
  /// Left out where it is empty.
  void text_if(std::string_view name, std::string_view value) {
    if (!value.empty()) text(name, value);
  }
  /// What needs no escaping: a word or number of ours.
  void word(std::string_view name, std::string_view value) {
    put_name(name);
    out_ += '"';
    out_ += value;
    out_ += '"';
  }
  void number(std::string_view name, std::uint64_t value) {
    put_name(name);
    char digits[record::kNumberBytesMax];
    out_.append(digits, record::put_number(value, digits));
  }
  void raw(std::string_view name, std::string_view json) {
    put_name(name);
    out_ += json;
  }
  /// RFC 3339 with nanoseconds.
  void time(std::string_view name, std::int64_t unix_ns) {
    put_name(name);
    char text[record::kTimeBytesMax];
    out_ += '"';
    out_.append(text, record::put_time(unix_ns, text));
    out_ += '"';
  }
  /// Milliseconds since 1970.
  void milliseconds(std::string_view name, std::int64_t unix_ns) {
    number(name, static_cast<std::uint64_t>(unix_ns > 0 ? unix_ns / 1'000'000 : 0));
  }
  void address(std::string_view name, const model::Address& value) {
    char text[record::kAddressBytesMax];
    word(name, {text, record::put_address(value, text)});
  }

 private:
  void open() {
    out_ += '{';
    first_ = true;
  }
  void put_name(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }

  std::string& out_;
  bool first_ = true;
};

}  // namespace flowtally::sink
