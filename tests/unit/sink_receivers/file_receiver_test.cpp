// Goal: what the file receiver calls delivered is on the disk, whole and once, whatever fails.
//
// Method: a file system in memory that fails, fills up and forgets what was not synced.
#include "sink/file_receiver.hpp"

#include <algorithm>
#include <cerrno>

#include "support/catch.hpp"
#include "support/faulty_fs.hpp"
#include "unit/sink_receivers/batches.hpp"

namespace flowtally::sink {
namespace {

using test::batch_of;
using test::FaultyFs;
using test::Operation;

constexpr const char* kPath = "/logs/flows.ndjson";
constexpr std::uint64_t kRotate = std::uint64_t{64} << 10U;  // the least that is allowed

model::SinkSettings settings(model::FileSettings file = {.path = kPath}) {
  model::SinkSettings made{.name = "file"};
  made.receiver = std::move(file);
  return made;
}

std::unique_ptr<Receiver> receiver(FaultyFs& files, model::FileSettings file = {.path = kPath}) {
  auto made = make_file_receiver(settings(std::move(file)), model::LogType::kNetwork, files);
  REQUIRE(made);
  return std::move(*made);
}

Outcome send(Receiver& to, const Batch& batch) { return to.send(batch, 0, batch.items.size(), {}); }

std::vector<std::string> lines_in(const std::string& text) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  if (begin < text.size()) lines.push_back("torn: " + text.substr(begin));
  return lines;
}

/// Of all files that have lines, the oldest first.
std::vector<std::string> all_lines(const FaultyFs& files) {
  std::vector<std::string> all;
  for (int number = 9; number >= 0; --number) {
    const std::string path = number == 0 ? kPath : fmt::format("{}.{}", kPath, number);
    if (files.has(path)) std::ranges::move(lines_in(files.read(path)), std::back_inserter(all));
  }
  return all;
}

std::vector<std::string> numbered(std::size_t first, std::size_t count, std::size_t bytes = 20) {
  std::vector<std::string> texts;
  for (std::size_t number = first; number < first + count; ++number)
    texts.push_back(fmt::format("{{\"n\":{},\"x\":\"{}\"}}", number, std::string(bytes, 'x')));
  return texts;
}

}  // namespace

TEST_CASE("each item is a line, and later batches are behind earlier ones") {
  FaultyFs files;
  REQUIRE(files.make_directory("/logs"));
  const auto to = receiver(files);
  const Outcome first = send(*to, batch_of({"{\"a\":1}", "{\"b\":2}"}));
  CHECK(first.verdict == Verdict::kDelivered);
  CHECK(first.bytes == 16);
  CHECK(send(*to, batch_of({"{\"c\":3}"})).verdict == Verdict::kDelivered);
  CHECK(files.read(kPath) == "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n");
}

TEST_CASE("only the span that is asked for is written") {
  FaultyFs files;
  REQUIRE(files.make_directory("/logs"));
  const auto to = receiver(files);
  const Batch batch = batch_of({"{\"a\":1}", "{\"b\":2}", "{\"c\":3}"});
  CHECK(to->send(batch, 1, 1, {}).verdict == Verdict::kDelivered);
  CHECK(files.read(kPath) == "{\"b\":2}\n");
}

TEST_CASE("a torn last line is cut when the file is opened again") {
  FaultyFs files;
  const std::string torn = GENERATE("{\"a\":1}\n{\"b\":", "{\"a\":1}\n", "{\"a\":1}\n{");
  files.write(kPath, torn);
  const auto to = receiver(files);
  CHECK(send(*to, batch_of({"{\"c\":3}"})).verdict == Verdict::kDelivered);
  CHECK(files.read(kPath) == "{\"a\":1}\n{\"c\":3}\n");
}

TEST_CASE("a file that is one long torn line is begun again") {
  FaultyFs files;
  files.write(kPath, std::string(200'000, 'x'));
  const auto to = receiver(files);
  CHECK(send(*to, batch_of({"{\"c\":3}"})).verdict == Verdict::kDelivered);
  CHECK(files.read(kPath) == "{\"c\":3}\n");
}

TEST_CASE("a full file becomes .1, and the oldest goes") {
  FaultyFs files;
  REQUIRE(files.make_directory("/logs"));
  const auto to = receiver(files, {.path = kPath, .rotate_bytes = kRotate, .rotate_files = 2});
  const auto texts = numbered(0, 40, 8000);  // eight a file
  CHECK(send(*to, batch_of(texts)).verdict == Verdict::kDelivered);
  CHECK(files.has(std::string(kPath) + ".2"));
  CHECK_FALSE(files.has(std::string(kPath) + ".3"));
  const auto kept = all_lines(files);
  CHECK(kept.size() >= 17);
  CHECK(std::ranges::equal(kept, std::vector(texts.end() - static_cast<long>(kept.size()), texts.end())));
  for (const char* const name : {"", ".1", ".2"})
    CHECK(files.read(std::string(kPath) + name).size() <= kRotate);
}

TEST_CASE("an item that is larger than a file may be has one of its own") {
  FaultyFs files;
  REQUIRE(files.make_directory("/logs"));
  const auto to = receiver(files, {.path = kPath, .rotate_bytes = kRotate});
  const std::vector<std::string> texts = {numbered(0, 1)[0], numbered(1, 1, 100'000)[0], numbered(2, 1)[0]};
  CHECK(send(*to, batch_of(texts)).verdict == Verdict::kDelivered);
  CHECK(all_lines(files) == texts);
}

TEST_CASE("with no files kept a full one is thrown away") {
  FaultyFs files;
  REQUIRE(files.make_directory("/logs"));
  const auto to = receiver(files, {.path = kPath, .rotate_bytes = kRotate, .rotate_files = 0});
  CHECK(send(*to, batch_of(numbered(0, 20, 8000))).verdict == Verdict::kDelivered);
  CHECK(files.paths().size() <= 2);  // it and its lock
  CHECK(all_lines(files).size() < 10);
}

TEST_CASE("a full disk is tried again, and what did not fit is not left behind") {
  FaultyFs files;
  REQUIRE(files.make_directory("/logs"));
  const auto to = receiver(files);
  const auto first = numbered(0, 10);
  const auto second = numbered(10, 1000);
  REQUIRE(send(*to, batch_of(first)).verdict == Verdict::kDelivered);
  files.set_capacity(2000);
  const Outcome full = send(*to, batch_of(second));
  CHECK(full.verdict == Verdict::kRetry);
  CHECK(full.reason.find("No space") != std::string::npos);
  CHECK(all_lines(files) == first);
  files.set_capacity(UINT64_MAX);
  CHECK(send(*to, batch_of(second)).verdict == Verdict::kDelivered);
  auto all = first;
  std::ranges::copy(second, std::back_inserter(all));
  CHECK(all_lines(files) == all);
}

TEST_CASE("what is in a full file before a failure is delivered") {
  FaultyFs files;
  REQUIRE(files.make_directory("/logs"));
  const auto to = receiver(files, {.path = kPath, .rotate_bytes = kRotate});
  files.set_fault([](Operation operation, const std::string&) -> std::optional<int> {
    if (operation == Operation::kRename) return EIO;
    return std::nullopt;
  });
  const auto texts = numbered(0, 12, 8000);
  const Outcome outcome = send(*to, batch_of(texts));
  REQUIRE(outcome.items.size() == texts.size());
  const auto delivered = std::ranges::count(outcome.items, Verdict::kDelivered);
  CHECK(delivered == 8);
  CHECK(outcome.items.back() == Verdict::kRetry);
  CHECK(all_lines(files).size() == 8);
}

TEST_CASE("what could not be synced is not delivered") {
  FaultyFs files;
  REQUIRE(files.make_directory("/logs"));
  const auto to = receiver(files);
  bool broken = true;
  files.set_fault([&broken](Operation operation, const std::string&) -> std::optional<int> {
    if (operation == Operation::kSync && broken) return EIO;
    return std::nullopt;
  });
  const auto texts = numbered(0, 3);
  CHECK(send(*to, batch_of(texts)).verdict == Verdict::kRetry);
  broken = false;
  CHECK(send(*to, batch_of(texts)).verdict == Verdict::kDelivered);
  CHECK(all_lines(files) == texts);
}

TEST_CASE("rights and missing folders are a matter of the configuration") {
  FaultyFs files;
  const int number = GENERATE(EACCES, ENOENT, EROFS);
  files.set_fault([number](Operation operation, const std::string&) -> std::optional<int> {
    if (operation == Operation::kOpen || operation == Operation::kCreate) return number;
    return std::nullopt;
  });
  const Outcome outcome = send(*receiver(files), batch_of({"{}"}));
  CHECK(outcome.verdict == Verdict::kMisconfigured);
  CHECK(outcome.reason.find(kPath) != std::string::npos);
}

TEST_CASE("two receivers do not write one file") {
  FaultyFs files;
  REQUIRE(files.make_directory("/logs"));
  const auto one = receiver(files);
  REQUIRE(send(*one, batch_of({"{}"})).verdict == Verdict::kDelivered);
  CHECK(send(*receiver(files), batch_of({"{}"})).verdict == Verdict::kRetry);
}

TEST_CASE("a stop ends it, and says nothing of the items") {
  FaultyFs files;
  REQUIRE(files.make_directory("/logs"));
  std::stop_source stop;
  stop.request_stop();
  CHECK(receiver(files)->send(batch_of({"{}"}), 0, 1, stop.get_token()).verdict == Verdict::kStopped);
}

TEST_CASE("after a crash at any operation every delivered line is there, and every line is whole") {
  for (std::uint64_t at = 1;; ++at) {
    FaultyFs files(at);
    REQUIRE(files.make_directory("/logs"));
    REQUIRE(files.sync_directory("/logs"));
    files.set_short_writes(true);
    files.crash_at(files.operations() + at);
    std::size_t delivered = 0;
    const auto texts = numbered(0, 30, 8000);
    const auto run = [&] {
      const auto to = receiver(files, {.path = kPath, .rotate_bytes = kRotate});
      for (int tries = 0; delivered < texts.size() && tries < 20; ++tries) {
        const std::vector<std::string> some(
            texts.begin() + static_cast<long>(delivered),
            texts.begin() + static_cast<long>(std::min(delivered + 7, texts.size())));
        const Outcome outcome = send(*to, batch_of(some));
        if (outcome.verdict == Verdict::kDelivered) delivered += some.size();
        if (!outcome.items.empty())
          delivered += static_cast<std::size_t>(std::ranges::count(outcome.items, Verdict::kDelivered));
      }
    };
    run();
    const bool crashed = files.crashed();
    if (crashed) {
      files.restart();
      const std::size_t before = delivered;
      run();
      INFO("crash at operation " << at << ", " << before << " lines were delivered");
      CHECK(delivered == texts.size());
    }
    const auto lines = all_lines(files);
    CHECK(std::ranges::none_of(lines, [](const std::string& line) { return line.starts_with("torn"); }));
    for (const std::string& text : texts) CHECK(std::ranges::find(lines, text) != lines.end());
    if (!crashed) break;
  }
}

TEST_CASE("settings of a file that cannot be are refused with their place") {
  struct Wrong {
    model::FileSettings file;
    const char* text;
  };
  const auto wrong =
      GENERATE(Wrong{{.path = "relative"}, "path:"}, Wrong{{.path = ""}, "path:"},
               Wrong{{.path = "/logs/"}, "path:"}, Wrong{{.path = kPath, .rotate_bytes = 1}, "rotate_size:"},
               Wrong{{.path = kPath, .rotate_files = 1001}, "rotate_files:"});
  const auto made = make_file_receiver(settings(wrong.file), model::LogType::kNetwork);
  REQUIRE_FALSE(made);
  CHECK(made.error().code() == base::ErrorCode::kInvalidArgument);
  CHECK(made.error().text().find(wrong.text) == 0);
}

TEST_CASE("both logs need two files") {
  FaultyFs files;
  REQUIRE(files.make_directory("/logs"));
  auto both = settings();
  both.logs = {model::LogType::kNetwork, model::LogType::kConfiguration};
  CHECK_FALSE(make_file_receiver(both, model::LogType::kNetwork, files));
  both.receiver = model::FileSettings{.path = "/logs/{log}.ndjson"};
  const auto made = make_file_receiver(both, model::LogType::kConfiguration, files);
  REQUIRE(made);
  CHECK(send(**made, batch_of({"{}"})).verdict == Verdict::kDelivered);
  CHECK(files.read("/logs/configuration.ndjson") == "{}\n");
}

}  // namespace flowtally::sink
