// Goal: no line harms the reader, and what it takes is understood: written and read again it is the same
// value, and text made of it stays as it is. Method: libFuzzer on lines; the writer as the reader's inverse.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "record/reader.hpp"
#include "record/text.hpp"
#include "record/writer.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flowtally::record;
  static RecordReader reader;
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const auto record = reader.read(line);
  if (!record) {
    FLOWTALLY_CHECK(!record.error().text().empty());
  } else {
    std::string written;
    append_record(*record, {}, written);
    const auto again = reader.read(written);
    // What is read within the limit may be written beyond it: names take more room escaped.
    if (!again) {
      FLOWTALLY_CHECK(written.size() > kLineBytesMax);
    } else {
      FLOWTALLY_CHECK(*again == *record);
      for (const auto* list : {&record->virtual_traffic, &record->subnet_traffic, &record->exit_traffic,
                               &record->physical_traffic}) {
        for (const auto& flow : *list) {
          std::string entry;
          append_entry(flow, entry);
          FLOWTALLY_CHECK(entry.size() == entry_bytes(flow));
        }
      }
    }
  }
  // The same bytes as a string of ours: always valid JSON for the reader.
  std::string quoted = R"({"start":"1970-01-01T00:00:00Z","end":"1970-01-01T00:00:00Z","nodeId":)";
  append_json_string(line, quoted);
  quoted += '}';
  FLOWTALLY_CHECK(quoted.size() > kLineBytesMax || reader.read(quoted).has_value());
  return 0;
}
