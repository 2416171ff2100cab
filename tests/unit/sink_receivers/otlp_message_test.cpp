// Goal: requests are OTLP's, byte by byte, and answers are read whatever they are. Bytes are held against
// opentelemetry-proto in tests/server/servers, where that can be had; here they are written out.
#include "sink/otlp_message.hpp"

#include "sink/protobuf.hpp"
#include "support/catch.hpp"
#include "unit/sink_receivers/batches.hpp"

namespace flowtally::sink {
namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return out;
}

/// The fields of a message, one after another: "1:{…}", with what looks like text as text.
std::vector<protobuf::Field> fields_of(std::string_view message) {
  std::vector<protobuf::Field> fields;
  while (!message.empty()) {
    const auto field = protobuf::take_field(message);
    REQUIRE(field);
    fields.push_back(*field);
  }
  return fields;
}

protobuf::Field field(std::string_view message, std::uint32_t number) {
  for (const protobuf::Field& found : fields_of(message)) {
    if (found.number == number) return found;
  }
  FAIL("field " << number << " is not there");
  return {};
}

/// The log records of a request.
std::vector<std::string> records_of(std::string_view request) {
  std::vector<std::string> records;
  const std::string_view scope_logs = field(field(request, 1).bytes, 2).bytes;
  for (const protobuf::Field& found : fields_of(scope_logs)) {
    if (found.number == 2) records.emplace_back(found.bytes);
  }
  return records;
}

/// The value of an attribute, as bytes of an AnyValue.
std::string_view attribute(std::string_view record, std::string_view key) {
  for (const protobuf::Field& found : fields_of(record)) {
    if (found.number == 6 && field(found.bytes, 1).bytes == key) return field(found.bytes, 2).bytes;
  }
  FAIL("no attribute " << key);
  return {};
}

}  // namespace

TEST_CASE("varints are as short as can be") {
  const auto varint = [](std::uint64_t value) {
    std::string out;
    protobuf::append_varint(value, out);
    return hex(out);
  };
  CHECK(varint(0) == "00");
  CHECK(varint(127) == "7f");
  CHECK(varint(128) == "8001");
  CHECK(varint(300) == "ac02");
  CHECK(varint(UINT64_MAX) == "ffffffffffffffffff01");
}

TEST_CASE("what is no field is not read") {
  for (const std::string& bytes :
       {std::string("\x0a"), std::string("\x0a\x05xx"), std::string("\xff"), std::string(11, '\xff'),
        std::string("\x09\x01", 2), std::string("\x0b\x01")}) {
    std::string_view from(bytes);
    CHECK_FALSE(protobuf::take_field(from));
  }
}

TEST_CASE("a record as it is becomes a log record with its text as the body") {
  const Batch batch = test::batch_of({R"({"a":1})"});
  const auto records = records_of(otlp_request(batch, 0, 1, {}));
  REQUIRE(records.size() == 1);
  CHECK(hex(records[0].substr(0, 9)) ==
        "09"
        "20aab551d381ea18");
  CHECK(field(records[0], 2).value == 9);
  CHECK(field(records[0], 3).bytes == "INFO");
  CHECK(field(field(records[0], 5).bytes, 1).bytes == R"({"a":1})");
  CHECK(field(records[0], 12).bytes == "network.flow");
  CHECK(field(attribute(records[0], "log.record.uid"), 1).bytes == item_id(batch, batch.items[0]));
}

TEST_CASE("a document of OpenTelemetry's words becomes attributes, each of its type") {
  const Batch batch = test::batch_of(
      {R"({"source.address":"100.64.0.1","source.port":1024,"n":-5,"big":18446744073709551615,"yes":true,)"
       R"("half":0.5,"nothing":null,"list":["a",1],"object":{"in":2}})"});
  const auto records = records_of(otlp_request(batch, 0, 1, {.format = model::ItemFormat::kOtel}));
  REQUIRE(records.size() == 1);
  CHECK(field(attribute(records[0], "source.address"), 1).bytes == "100.64.0.1");
  CHECK(field(attribute(records[0], "source.port"), 3).value == 1024);
  CHECK(static_cast<std::int64_t>(field(attribute(records[0], "n"), 3).value) == -5);
  CHECK(field(attribute(records[0], "big"), 1).bytes == "18446744073709551615");
  CHECK(field(attribute(records[0], "yes"), 2).value == 1);
  CHECK(hex(attribute(records[0], "half")) == "21000000000000e03f");
  CHECK(attribute(records[0], "nothing").empty());
  CHECK(hex(attribute(records[0], "list")) ==
        "2a09"
        "0a030a0161"
        "0a021801");
  CHECK(hex(attribute(records[0], "object")) ==
        "320a"
        "0a080a02696e12021802");
}

TEST_CASE("counters can be text, ports and protocol numbers stay numbers") {
  const Batch batch =
      test::batch_of({R"({"destination.port":8000,"flowtally.proto":6,"io.bytes":5000000000,"n":-1})"});
  const auto records =
      records_of(otlp_request(batch, 0, 1, {.format = model::ItemFormat::kOtel, .counters_as_text = true}));
  CHECK(field(attribute(records[0], "io.bytes"), 1).bytes == "5000000000");
  CHECK(field(attribute(records[0], "n"), 1).bytes == "-1");
  CHECK(field(attribute(records[0], "destination.port"), 3).value == 8000);
  CHECK(field(attribute(records[0], "flowtally.proto"), 3).value == 6);
}

TEST_CASE("each item of the span is one log record, and the resource says whose") {
  const Batch batch = test::batch_of(test::record_texts(10));
  const std::string request = otlp_request(batch, 2, 5, {.host_name = "gate", .agent_version = "1.2.3"});
  CHECK(records_of(request).size() == 5);
  std::string resource;
  for (const protobuf::Field& found : fields_of(field(field(request, 1).bytes, 1).bytes))
    resource +=
        fmt::format("{}={} ", field(found.bytes, 1).bytes, field(field(found.bytes, 2).bytes, 1).bytes);
  CHECK(resource ==
        "service.name=flowtally service.version=1.2.3 service.instance.id=nLab01CNTRL host.id=nLab01CNTRL "
        "host.name=gate os.type=linux ");
}

TEST_CASE("very deep documents are cut to text") {
  std::string deep = "1";
  for (int level = 0; level < 100; ++level) deep = R"({"x":)" + deep + "}";
  const auto records =
      records_of(otlp_request(test::batch_of({deep}), 0, 1, {.format = model::ItemFormat::kOtel}));
  CHECK(records.size() == 1);
}

TEST_CASE("an answer is read, also an empty one") {
  const auto answer = [](std::string_view body) { return read_otlp_answer(body); };
  CHECK(answer("")->rejected == 0);
  CHECK(answer(std::string_view("\x0a\x00", 2))->rejected == 0);
  const auto partial = answer(
      "\x0a\x08\x08\x03\x12\x04"
      "late");
  REQUIRE(partial);
  CHECK(partial->rejected == 3);
  CHECK(partial->message == "late");
  CHECK(answer("\x0a\x06\x12\x04"
               "warn")
            ->message == "warn");
  CHECK_FALSE(answer("{}"));
  CHECK_FALSE(answer("<html>"));
}

}  // namespace flowtally::sink
