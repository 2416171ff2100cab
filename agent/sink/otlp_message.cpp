#include "sink/otlp_message.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include "sink/protobuf.hpp"

namespace flowtally::sink {
namespace {

namespace dom = simdjson::dom;

// Field numbers, by message.
constexpr std::uint32_t kRequestResourceLogs = 1;
constexpr std::uint32_t kResourceLogsResource = 1;
constexpr std::uint32_t kResourceLogsScopeLogs = 2;
constexpr std::uint32_t kResourceAttributes = 1;
constexpr std::uint32_t kScopeLogsScope = 1;
constexpr std::uint32_t kScopeLogsRecords = 2;
constexpr std::uint32_t kScopeName = 1;
constexpr std::uint32_t kScopeVersion = 2;
constexpr std::uint32_t kRecordTime = 1;
constexpr std::uint32_t kRecordSeverityNumber = 2;
constexpr std::uint32_t kRecordSeverityText = 3;
constexpr std::uint32_t kRecordBody = 5;
constexpr std::uint32_t kRecordAttributes = 6;
constexpr std::uint32_t kRecordObservedTime = 11;
constexpr std::uint32_t kRecordEventName = 12;
constexpr std::uint32_t kKeyValueKey = 1;
constexpr std::uint32_t kKeyValueValue = 2;
constexpr std::uint32_t kAnyString = 1;
constexpr std::uint32_t kAnyBool = 2;
constexpr std::uint32_t kAnyInt = 3;
constexpr std::uint32_t kAnyDouble = 4;
constexpr std::uint32_t kAnyArray = 5;
constexpr std::uint32_t kAnyList = 6;
constexpr std::uint32_t kListValues = 1;

constexpr std::int64_t kSeverityInfo = 9;
/// Deeper ones are written as JSON.
constexpr unsigned kDepthMax = 8;

std::string any_value(dom::element value, bool numbers_as_text, unsigned depth);

std::string any_string(std::string_view text) {
  std::string out;
  protobuf::append_bytes(kAnyString, text, out);
  return out;
}

std::string key_value(std::string_view key, std::string_view any) {
  std::string out;
  protobuf::append_bytes(kKeyValueKey, key, out);
  protobuf::append_bytes(kKeyValueValue, any, out);
  return out;
}

/// Ports and numbers of protocols stay numbers: they fit in 32 bits.
bool is_small(std::string_view key) { return key.ends_with("port") || key.ends_with("proto"); }

std::string any_number(std::uint64_t magnitude, bool negative, bool as_text) {
  const std::uint64_t limit = std::uint64_t{1} << 63U;
  if (as_text || (!negative && magnitude >= limit))
    return any_string(fmt::format("{}{}", negative ? "-" : "", magnitude));
  std::string out;
  protobuf::append_int(kAnyInt, std::bit_cast<std::int64_t>(negative ? 0 - magnitude : magnitude), out);
  return out;
}

std::string any_array(dom::array values, bool numbers_as_text, unsigned depth) {
  std::string list;
  for (const dom::element value : values)
    protobuf::append_bytes(kListValues, any_value(value, numbers_as_text, depth + 1), list);
  std::string out;
  protobuf::append_bytes(kAnyArray, list, out);
  return out;
}

std::string any_object(dom::object members, bool counters_as_text, unsigned depth) {
  std::string list;
  for (const dom::key_value_pair member : members) {
    const bool as_text = counters_as_text && !is_small(member.key);
    protobuf::append_bytes(kListValues, key_value(member.key, any_value(member.value, as_text, depth + 1)),
                           list);
  }
  std::string out;
  protobuf::append_bytes(kAnyList, list, out);
  return out;
}

std::string any_value(dom::element value, bool numbers_as_text, unsigned depth) {
  if (depth > kDepthMax) return any_string(simdjson::minify(value));
  std::string out;
  switch (value.type()) {
    case dom::element_type::STRING: return any_string(value.get_string().value_unsafe());
    case dom::element_type::BOOL:
      protobuf::append_int(kAnyBool, value.get_bool().value_unsafe() ? 1 : 0, out);
      return out;
    case dom::element_type::INT64: {
      const std::int64_t number = value.get_int64().value_unsafe();
      const auto bits = std::bit_cast<std::uint64_t>(number);
      return any_number(number < 0 ? 0 - bits : bits, number < 0, numbers_as_text);
    }
    case dom::element_type::UINT64:
      return any_number(value.get_uint64().value_unsafe(), false, numbers_as_text);
    case dom::element_type::DOUBLE:
      protobuf::append_double(kAnyDouble, value.get_double().value_unsafe(), out);
      return out;
    case dom::element_type::ARRAY: return any_array(value.get_array().value_unsafe(), numbers_as_text, depth);
    case dom::element_type::OBJECT:
      return any_object(value.get_object().value_unsafe(), numbers_as_text, depth);
    case dom::element_type::NULL_VALUE: break;
  }
  return out;
}

void append_attribute(std::uint32_t field, std::string_view key, std::string_view any, std::string& out) {
  protobuf::append_bytes(field, key_value(key, any), out);
}

/// The item's members as attributes; false, and nothing is written, if it is no object.
bool append_attributes(dom::parser& parser, std::string_view text, const OtlpForm& form, std::string& out) {
  dom::object members;
  if (parser.parse(text.data(), text.size()).get(members) != simdjson::SUCCESS) return false;
  for (const dom::key_value_pair member : members) {
    const bool as_text = form.counters_as_text && !is_small(member.key);
    append_attribute(kRecordAttributes, member.key, any_value(member.value, as_text, 0), out);
  }
  return true;
}

std::uint64_t time_of(std::int64_t nanoseconds) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(nanoseconds, 0));
}

std::string resource_of(const Batch& batch, const OtlpForm& form) {
  std::string out;
  const auto add = [&out](std::string_view key, std::string_view value) {
    if (!value.empty()) append_attribute(kResourceAttributes, key, any_string(value), out);
  };
  add("service.name", "flowtally");
  add("service.version", form.agent_version);
  add("service.instance.id", batch.node_id);
  add("host.id", batch.node_id);
  // Each record of this form has the node's own name among its attributes.
  if (form.format != model::ItemFormat::kOtel) add("host.name", form.host_name);
  add("os.type", "linux");
  return out;
}

std::string log_record(dom::parser& parser, const Batch& batch, const Item& item, const OtlpForm& form) {
  const bool network = batch.log_type == model::LogType::kNetwork;
  const std::string_view event = network ? "network.flow" : "configuration.event";
  std::string attributes;
  const bool as_attributes = form.format == model::ItemFormat::kOtel &&
                             append_attributes(parser, batch.text_of(item), form, attributes);
  append_attribute(kRecordAttributes, "log.record.uid", any_string(item_id(batch, item)), attributes);

  std::string out;
  protobuf::append_fixed64(kRecordTime, time_of(item.time_ns), out);
  protobuf::append_int(kRecordSeverityNumber, kSeverityInfo, out);
  protobuf::append_bytes(kRecordSeverityText, "INFO", out);
  protobuf::append_bytes(kRecordBody, any_string(as_attributes ? event : batch.text_of(item)), out);
  out += attributes;
  protobuf::append_fixed64(kRecordObservedTime, time_of(item.logged_ns != 0 ? item.logged_ns : item.time_ns),
                           out);
  protobuf::append_bytes(kRecordEventName, event, out);
  return out;
}

base::Result<OtlpAnswer> wrong() {
  return base::fail(base::Error(base::ErrorCode::kCorrupt, "the answer is no ExportLogsServiceResponse"));
}

}  // namespace

std::string otlp_request(const Batch& batch, std::size_t first, std::size_t count, const OtlpForm& form) {
  dom::parser parser;
  std::string scope;
  protobuf::append_bytes(kScopeName, "flowtally", scope);
  if (!form.agent_version.empty()) protobuf::append_bytes(kScopeVersion, form.agent_version, scope);

  std::string scope_logs;
  protobuf::append_bytes(kScopeLogsScope, scope, scope_logs);
  for (std::size_t at = first; at < first + count; ++at)
    protobuf::append_bytes(kScopeLogsRecords, log_record(parser, batch, batch.items[at], form), scope_logs);

  std::string resource_logs;
  protobuf::append_bytes(kResourceLogsResource, resource_of(batch, form), resource_logs);
  protobuf::append_bytes(kResourceLogsScopeLogs, scope_logs, resource_logs);
  std::string out;
  protobuf::append_bytes(kRequestResourceLogs, resource_logs, out);
  return out;
}

base::Result<OtlpAnswer> read_otlp_answer(std::string_view body) {
  constexpr std::uint32_t kPartialSuccess = 1;
  constexpr std::uint32_t kRejected = 1;
  constexpr std::uint32_t kMessage = 2;
  OtlpAnswer answer;
  while (!body.empty()) {
    const auto field = protobuf::take_field(body);
    if (!field) return wrong();
    if (field->number != kPartialSuccess || field->wire != protobuf::kLength) continue;
    std::string_view partial = field->bytes;
    while (!partial.empty()) {
      const auto inner = protobuf::take_field(partial);
      if (!inner) return wrong();
      if (inner->number == kRejected && inner->wire == protobuf::kVarint)
        answer.rejected = std::bit_cast<std::int64_t>(inner->value);
      if (inner->number == kMessage && inner->wire == protobuf::kLength) answer.message = inner->bytes;
    }
  }
  return answer;
}

}  // namespace flowtally::sink
