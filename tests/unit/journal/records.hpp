// This file makes records for the journal's tests: a line says its own number, so that what is read can be
// told from what was meant.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "journal/journal.hpp"
#include "journal/reader.hpp"
#include "support/catch.hpp"

namespace flowtally::test {

inline constexpr const char* kDirectory = "/j/network";
inline constexpr std::int64_t kSecond = 1'000'000'000;

/// A batch, which owns its lines. Window `epoch` is [epoch, epoch + 1) seconds.
class Batch {
 public:
  Batch(std::uint64_t epoch, std::uint32_t parts, std::size_t padding = 0) {
    lines_.reserve(parts);
    for (std::uint32_t part = 1; part <= parts; ++part) {
      lines_.push_back(fmt::format("{{\"epoch\":{},\"part\":{},\"parts\":{},\"x\":\"{}\"}}\n", epoch, part,
                                   parts, std::string(padding, 'x')));
      const auto start = static_cast<std::int64_t>(epoch) * kSecond;
      entries_.push_back({.line = lines_.back(),
                          .start_ns = start,
                          .end_ns = start + kSecond,
                          .key = {.boot_hash = 7, .epoch = epoch, .part = part, .parts = parts}});
    }
  }
  Batch(Batch&&) = delete;  // entries point at lines

  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }
  [[nodiscard]] const std::vector<journal::Entry>& entries() const { return entries_; }

 private:
  std::vector<std::string> lines_;
  std::vector<journal::Entry> entries_;
};

/// The number behind `"name":` in a line; 0 if there is none.
inline std::uint64_t number_in(std::string_view line, std::string_view name) {
  const std::size_t at = line.find(fmt::format("\"{}\":", name));
  if (at == std::string_view::npos) return 0;
  std::uint64_t number = 0;
  const char* const begin = line.data() + at + name.size() + 3;
  std::from_chars(begin, line.data() + line.size(), number);
  return number;
}

inline std::optional<journal::Description> describe(std::string_view line) {
  const std::uint64_t epoch = number_in(line, "epoch");
  if (epoch == 0) return std::nullopt;
  const auto start = static_cast<std::int64_t>(epoch) * kSecond;
  return journal::Description{.start_ns = start,
                              .end_ns = start + kSecond,
                              .key = {.boot_hash = 7,
                                      .epoch = epoch,
                                      .part = static_cast<std::uint32_t>(number_in(line, "part")),
                                      .parts = static_cast<std::uint32_t>(number_in(line, "parts"))}};
}

struct ReadRecord {
  journal::Sequence sequence = 0;
  std::string line;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};

/// All that a reader gives up to the end.
struct ReadAll {
  std::vector<ReadRecord> records;
  std::vector<journal::Gap> gaps;
};

inline ReadAll read_all(journal::JournalReader& reader) {
  ReadAll all;
  while (true) {
    auto step = reader.next();
    INFO((step ? std::string() : step.error().text()));
    REQUIRE(step.has_value());
    if (const auto* const record = std::get_if<journal::Record>(&*step)) {
      all.records.push_back({.sequence = record->sequence,
                             .line = std::string(record->line),
                             .start_ns = record->start_ns,
                             .end_ns = record->end_ns});
    } else if (const auto* const gap = std::get_if<journal::Gap>(&*step)) {
      all.gaps.push_back(*gap);
    } else {
      return all;
    }
  }
}

inline ReadAll read_all(journal::FileSystem& files, journal::ScanOptions options = {}) {
  auto reader = journal::JournalReader::open(kDirectory, std::move(options), files);
  REQUIRE(reader.has_value());
  return read_all(*reader);
}

/// Opens, or fails the test with the reason.
inline journal::Journal open_journal(journal::FileSystem& files, journal::JournalOptions options = {}) {
  options.directory = kDirectory;
  auto opened = journal::Journal::open(std::move(options), files);
  INFO((opened ? std::string() : opened.error().text()));
  REQUIRE(opened.has_value());
  return std::move(*opened);
}

}  // namespace flowtally::test
