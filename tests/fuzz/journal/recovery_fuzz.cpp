// Goal: whatever bytes are in the files of a journal, opening, reading and sealing it ends in values or in an
// Error, in bounded memory; and what was opened can be appended to and read.
//
// Method: libFuzzer. The first byte says which file the input is, or how it is laid over files that are
// right: a fuzzer does not find checksums, so a part of the inputs is written into good files at a place of
// its choice, and one kind gets its checksums corrected, so that what stands behind them is reached.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "base/check.hpp"
#include "journal/bytes.hpp"
#include "journal/cursor_store.hpp"
#include "journal/journal.hpp"
#include "journal/reader.hpp"
#include "journal/sealed_format.hpp"
#include "support/faulty_fs.hpp"

namespace {

using namespace flowtally;
using test::FaultyFs;

const std::string kDirectory = "/j";
const std::string kName = "/j/00000000000000000001";

struct GoodFiles {
  std::string lines;
  std::string index;
  std::string sealed;
};

void terms_of(std::string_view line, const journal::TermSink& sink) { sink(journal::checksum(line)); }

journal::JournalOptions options(std::uint64_t segment_bytes) {
  journal::JournalOptions options{.directory = kDirectory, .segment_bytes_max = segment_bytes};
  options.seal.terms_of = terms_of;
  return options;
}

/// Some batches, as they are on the disk open and sealed.
const GoodFiles& good_files() {
  static const GoodFiles files = [] {
    FaultyFs fs;
    auto journal = journal::Journal::open(options(1), fs);
    FLOWTALLY_CHECK(journal.has_value());
    std::vector<std::string> lines;
    for (int line = 0; line < 200; ++line) lines.push_back(fmt::format("{{\"line\":{}}}\n", line));
    for (std::size_t at = 0; at + 4 <= lines.size(); at += 4) {
      std::vector<journal::Entry> batch;
      for (std::size_t part = 0; part < 4; ++part)
        batch.push_back({.line = lines[at + part], .start_ns = 1, .end_ns = 2, .key = {.epoch = at}});
      FLOWTALLY_CHECK(journal->append(batch).has_value());
    }
    const std::string big = std::string(8000, 'x') + '\n';
    FLOWTALLY_CHECK(journal->append(std::vector<journal::Entry>{{.line = big}}).has_value());
    GoodFiles good{.lines = fs.read(kName + ".ndjson"), .index = fs.read(kName + ".index"), .sealed = {}};
    FLOWTALLY_CHECK(journal->seal_one().has_value());
    good.sealed = fs.read(kName + ".ndjson.zst");
    return good;
  }();
  return files;
}

/// `patch` over a part of `bytes`: two bytes say where.
std::string patched(std::string bytes, std::string_view patch) {
  if (patch.size() < 3 || bytes.empty()) return bytes;
  const std::size_t at =
      (static_cast<std::uint8_t>(patch[0]) * 256U + static_cast<std::uint8_t>(patch[1])) % bytes.size();
  patch.remove_prefix(2);
  const std::size_t count = std::min(patch.size(), bytes.size() - at);
  bytes.replace(at, count, patch.substr(0, count));
  return bytes;
}

/// A sealed file whose index is patched and has its checksums right.
std::string with_patched_index(std::string_view patch) {
  const std::string& good = good_files().sealed;
  auto trailer = journal::decode_trailer(good);
  FLOWTALLY_CHECK(trailer.has_value());
  const std::size_t begin = trailer->index_offset;
  const std::string index = patched(good.substr(begin, trailer->index_bytes), patch);
  trailer->index_hash = journal::checksum(index);
  return good.substr(0, begin) + index + journal::encode_trailer(*trailer);
}

void lay_out(FaultyFs& fs, std::uint8_t how, std::string_view bytes) {
  const GoodFiles& good = good_files();
  const bool sealed = (how & 4U) != 0;
  if (sealed) {
    std::string file(bytes);
    if ((how & 3U) == 1) file = patched(good.sealed, bytes);
    if ((how & 3U) == 2) file = with_patched_index(bytes);
    if ((how & 3U) == 3) file = good.sealed.substr(0, good.sealed.size() / 2) + file;
    fs.write(kName + ".ndjson.zst", file);
    return;
  }
  fs.write(kName + ".ndjson", (how & 3U) == 1 ? patched(good.lines, bytes) : good.lines);
  fs.write(kName + ".index", (how & 3U) == 2 ? patched(good.index, bytes) : good.index);
  if ((how & 3U) == 0) fs.write(kName + ".index", std::string(bytes));
  if ((how & 3U) == 3) {
    fs.write(kName + ".ndjson", std::string(bytes));
    fs.erase(kName + ".index");
  }
  if ((how & 8U) != 0) fs.write("/j/removed", std::string(bytes));
  if ((how & 16U) != 0) fs.write("/j/cursors/siem", std::string(bytes));
}

/// To the end, an Error, or a number of steps that no such journal has.
std::uint64_t read_through(FaultyFs& fs) {
  auto reader = journal::JournalReader::open(
      kDirectory, {.may_match = [](const auto& filter) { return filter.may_contain(1) || true; }}, fs);
  FLOWTALLY_CHECK(reader.has_value());
  journal::Sequence next = reader->position();
  std::uint64_t records = 0;
  for (int steps = 0; steps < 1'000'000; ++steps) {
    const auto step = reader->next();
    if (!step || std::holds_alternative<journal::AtEnd>(*step)) return records;
    if (const auto* const record = std::get_if<journal::Record>(&*step)) {
      FLOWTALLY_CHECK(record->sequence == next);
      ++records;
    } else {
      FLOWTALLY_CHECK(std::get<journal::Gap>(*step).records.first == next);
      FLOWTALLY_CHECK(std::get<journal::Gap>(*step).records.count > 0);
    }
    next = reader->position();
  }
  FLOWTALLY_CHECK(false);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  FaultyFs fs;
  lay_out(fs, data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  read_through(fs);
  auto journal = journal::Journal::open(options(1), fs);
  if (!journal) {
    FLOWTALLY_CHECK(!journal.error().text().empty());
    return 0;
  }
  const std::uint64_t before = read_through(fs);
  const std::string line = "{\"after\":1}\n";
  const auto appended = journal->append(std::vector<journal::Entry>{{.line = line}});
  FLOWTALLY_CHECK(appended.has_value());
  FLOWTALLY_CHECK(read_through(fs) == before + 1);
  while (journal->seal_one().value_or(std::nullopt)) {
  }
  FLOWTALLY_CHECK(read_through(fs) == before + 1);
  static_cast<void>(journal->retain());
  journal = base::fail(base::Error(base::ErrorCode::kInternal, "closed"));
  // What recovery made is right: a second one finds nothing to do but damage that stays.
  const auto again = journal::Journal::open(options(1), fs);
  FLOWTALLY_CHECK(again.has_value());
  FLOWTALLY_CHECK(again->state().next == appended->first + 1);
  return 0;
}
