#include "api/json_text.hpp"

#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "record/text.hpp"

namespace flowtally::api {

void JsonText::put_name(std::string_view name) {
  if (!first_) out_ += ',';
  first_ = false;
  if (name.empty()) return;
  out_ += '"';
  out_ += name;
  out_ += "\":";
}

JsonText& JsonText::open(std::string_view name, char bracket) {
  put_name(name);
  out_ += bracket;
  first_ = true;
  return *this;
}

JsonText& JsonText::close(char bracket) {
  out_ += bracket;
  first_ = false;
  return *this;
}

JsonText& JsonText::text(std::string_view name, std::string_view value) {
  put_name(name);
  record::append_json_string(value, out_);
  return *this;
}

JsonText& JsonText::number(std::string_view name, std::uint64_t value) {
  put_name(name);
  fmt::format_to(std::back_inserter(out_), "{}", value);
  return *this;
}

JsonText& JsonText::decimal(std::string_view name, double value) {
  put_name(name);
  fmt::format_to(std::back_inserter(out_), "{:.3f}", value);
  return *this;
}

JsonText& JsonText::flag(std::string_view name, bool value) {
  put_name(name);
  out_ += value ? "true" : "false";
  return *this;
}

JsonText& JsonText::seconds(std::string_view name, std::int64_t ns) {
  put_name(name);
  fmt::format_to(std::back_inserter(out_), "{:.6f}", static_cast<double>(ns) / 1e9);
  return *this;
}

JsonText& JsonText::time(std::string_view name, std::int64_t wall_ns) {
  put_name(name);
  out_ += '"';
  out_ += record::time_text(wall_ns);
  out_ += '"';
  return *this;
}

JsonText& JsonText::element(std::string_view value) {
  put_name({});
  record::append_json_string(value, out_);
  return *this;
}

JsonText& JsonText::raw_element(std::string_view json) {
  put_name({});
  out_ += json;
  return *this;
}

std::string JsonText::take() { return std::exchange(out_, {}); }

}  // namespace flowtally::api
