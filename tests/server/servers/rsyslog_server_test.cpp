// Goal: rsyslog reads our messages as RFC 5424 has them, framed either way, and has the records unchanged.
#include <algorithm>
#include <cstdio>
#include <memory>

#include <simdjson.h>

#include "server/servers/delivery.hpp"
#include "server/servers/server.hpp"
#include "sink/receiver.hpp"
#include "support/catch.hpp"
#include "support/wait_until.hpp"
#include "unit/sink_receivers/batches.hpp"

namespace flowtally::test {
namespace {

model::SinkSettings to_syslog(const Server& server, bool octet_counting) {
  model::SinkSettings settings{.name = "syslog"};
  settings.receiver = model::SyslogSettings{.address = fmt::format("127.0.0.1:{}", server.port()),
                                            .octet_counting = octet_counting,
                                            .host_name = "gate"};
  return settings;
}

std::vector<std::string> lines_of(const std::filesystem::path& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  std::vector<std::string> lines;
  if (!file) return lines;
  char* line = nullptr;
  std::size_t room = 0;
  for (ssize_t size = 0; (size = ::getline(&line, &room, file.get())) > 0;) {
    if (line[size - 1] == '\n') lines.emplace_back(line, static_cast<std::size_t>(size) - 1);
  }
  std::free(line);  // NOLINT(cppcoreguidelines-no-malloc): getline's
  return lines;
}

}  // namespace

TEST_CASE("rsyslog has every record once and in order, with its time, host and structured data") {
  const bool octet_counting = GENERATE(true, false);
  const Server server("rsyslog");
  const auto texts = record_texts(20'000);
  const Items sent = deliver(to_syslog(server, octet_counting), texts, 5000);
  const auto out = server.directory() / "out";
  std::vector<std::string> lines;
  wait_until([&] { return (lines = lines_of(out)).size() >= texts.size(); });
  REQUIRE(lines.size() == texts.size());

  simdjson::dom::parser parser;
  std::size_t different = 0;
  for (std::size_t at = 0; at < texts.size(); ++at) {
    const simdjson::dom::element line = parser.parse(lines[at]);
    std::string_view message = line["message"];
    if (message.starts_with(' ')) message.remove_prefix(1);
    different += message == texts[at] ? 0U : 1U;
  }
  CHECK(different == 0);
  const simdjson::dom::element first = parser.parse(lines.front());
  CHECK(std::string_view(first["time"]) == "2026-11-22T23:29:00.069506Z");
  CHECK(std::string_view(first["priority"]) == "134");
  CHECK(std::string_view(first["host"]) == "gate");
  CHECK(std::string_view(first["app"]) == "flowtally");
  CHECK(std::string_view(first["msgid"]) == "network");
  const auto item = std::ranges::find(sent, texts.front(), &Items::value_type::second);
  CHECK(std::string_view(first["data"]) ==
        fmt::format(R"([flowtally@32473 id="{}" sequence="1" node="nLab01CNTRL"])", item->first));
}

TEST_CASE("rsyslog that is killed and comes back gets the rest") {
  Server server("rsyslog");
  auto receiver = sink::make_receiver(to_syslog(server, true), model::LogType::kNetwork);
  REQUIRE(receiver);
  const auto send = [&](std::size_t first) {
    return (*receiver)->send(batch_of(record_texts(100, first), first + 1), 0, 100, {}).verdict;
  };
  CHECK(send(0) == sink::Verdict::kDelivered);
  const auto out = server.directory() / "out";
  wait_until([&] { return lines_of(out).size() >= 100; });
  server.kill();
  CHECK(send(100) == sink::Verdict::kRetry);
  server.start();
  CHECK(send(100) == sink::Verdict::kDelivered);
  wait_until([&] { return lines_of(out).size() >= 200; });
  CHECK(lines_of(out).size() == 200);
}

}  // namespace flowtally::test
