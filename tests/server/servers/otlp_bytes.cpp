// This program writes a request as the OTLP receiver sends it, and what is in it as JSON, for otlp_check.py:
//   otlp_bytes REQUEST-FILE ITEMS-FILE
#include <cstdio>
#include <memory>
#include <string>

#include "sink/otlp_message.hpp"
#include "unit/sink_receivers/batches.hpp"

namespace {

bool write(const char* path, const std::string& bytes) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path, "wb"), std::fclose);
  return file && std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size();
}

}  // namespace

int main(int argc, char** argv) {
  using namespace flowtally;
  if (argc != 3) return 2;
  const sink::Batch batch = test::batch_of(
      {R"({"source.address":"100.64.0.1","source.port":1024,"flowtally.tx.bytes":5000000000,"below":-5,)"
       R"("above":18446744073709551615,"most":9223372036854775807,"least":-9223372036854775808,"yes":true,)"
       R"("no":false,"half":0.5,"zero":0,"empty":"","text":"\u00e4\n\"","list":["a",1,[2]],)"
       R"("object":{"in":{"deep":2}}})",
       R"({"source.address":"fd7a:115c:a1e0::1"})"});
  std::string items;
  for (const sink::Item& item : batch.items) {
    items += fmt::format(R"({{"time":{},"logged":{},"id":"{}","item":{}}})", item.time_ns, item.logged_ns,
                         item_id(batch, item), batch.text_of(item));
    items += '\n';
  }
  const sink::OtlpForm form{
      .format = model::ItemFormat::kOtel, .host_name = "gate", .agent_version = "1.2.3"};
  return write(argv[1], otlp_request(batch, 0, batch.items.size(), form)) && write(argv[2], items) ? 0 : 1;
}
