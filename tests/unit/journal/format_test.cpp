// Goal: what is written is read again as it was, and no damaged byte is taken for something else; the filter
// never says "no" wrongly and seldom "yes".
#include <random>
#include <unordered_set>

#include "journal/bytes.hpp"
#include "journal/index_format.hpp"
#include "journal/line_scan.hpp"
#include "journal/sealed_format.hpp"
#include "journal/term_filter.hpp"
#include "support/catch.hpp"
#include "support/faulty_fs.hpp"

namespace flowtally::test {
namespace {

using namespace journal;

const RecordKey kKey{.boot_hash = 0x1122334455667788, .epoch = 77, .part = 2, .parts = 3};

const IndexEntry kEntry{.offset = 1000,
                        .length = 55,
                        .flags = kFlagFirst,
                        .start_ns = -5,
                        .end_ns = 7,
                        .key = kKey,
                        .line_hash = 0xabcdef};

}  // namespace

TEST_CASE("an index entry is read as it was, for its own number only, and damage is seen", "[unit]") {
  std::string bytes;
  encode_entry(kEntry, 42, bytes);
  REQUIRE(bytes.size() == kIndexEntryBytes);
  CHECK(decode_entry(bytes, 42) == kEntry);
  CHECK(!decode_entry(bytes, 43));
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    CHECK(!decode_entry(damaged, 42));
    CHECK(!decode_entry(std::string_view(bytes).substr(0, at), 42));
  }
}

TEST_CASE("an index header is read as it was; the published number is seen whole or not at all", "[unit]") {
  const std::string bytes = encode_header({.first = 9, .previous_key = kKey}, 12);
  REQUIRE(bytes.size() == kIndexHeaderBytes);
  const auto header = decode_header(bytes);
  REQUIRE(header.has_value());
  CHECK(header->first == 9);
  CHECK(header->previous_key == kKey);
  CHECK(!decode_header(encode_header({.first = 1}, 0))->previous_key.has_value());
  CHECK(decode_published(std::string_view(bytes).substr(kPublishedOffset)) == 12);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    const bool seen =
        !decode_header(damaged) || !decode_published(std::string_view(damaged).substr(kPublishedOffset));
    CHECK(seen);
  }
}

TEST_CASE("a trailer and a frame's entry are read as they were, and damage is seen", "[unit]") {
  const Trailer trailer{.index_offset = 1,
                        .index_bytes = 2,
                        .index_hash = 3,
                        .frames = 4,
                        .first = 5,
                        .next = 60,
                        .records = 7,
                        .raw_bytes = 8,
                        .start_ns = 9,
                        .end_ns = 10,
                        .last_key = kKey};
  const std::string bytes = encode_trailer(trailer);
  REQUIRE(bytes.size() == kTrailerBytes);
  const auto read = decode_trailer("anything before it" + bytes);
  REQUIRE(read.has_value());
  CHECK(encode_trailer(*read) == bytes);
  CHECK(read->last_key == kKey);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    CHECK(!decode_trailer(damaged));
  }
  const FrameInfo info{.offset = 1,
                       .stored_bytes = 2,
                       .raw_bytes = 3,
                       .first = 4,
                       .records = 5,
                       .filter_bytes = 6,
                       .filter_offset = 7,
                       .table_offset = 8,
                       .table_bytes = 9,
                       .start_ns = 10,
                       .end_ns = 11,
                       .raw_hash = 12};
  std::string frame;
  encode_frame_info(info, frame);
  std::string again;
  encode_frame_info(decode_frame_info(frame), again);
  CHECK(frame == again);
}

TEST_CASE("an index that points beyond the file or itself is refused", "[unit]") {
  const FrameInfo good{.offset = 0,
                       .stored_bytes = 50,
                       .raw_bytes = 3,
                       .first = 1,
                       .records = 2,
                       .filter_bytes = 0,
                       .filter_offset = 80,
                       .table_offset = 80,
                       .table_bytes = 4};
  const auto decoded = [](const FrameInfo& info) {
    std::string index;
    encode_frame_info(info, index);
    index += "four";
    return decode_frames(index, {.index_offset = 58,
                                 .index_bytes = index.size(),
                                 .index_hash = checksum(index),
                                 .frames = 1,
                                 .first = 1,
                                 .next = 3,
                                 .records = 2})
        .has_value();
  };
  CHECK(decoded(good));
  for (const auto field :
       {&FrameInfo::offset, &FrameInfo::filter_offset, &FrameInfo::table_offset, &FrameInfo::first}) {
    FrameInfo bad = good;
    bad.*field += 10;
    CHECK(!decoded(bad));
    bad.*field = UINT64_MAX;
    CHECK(!decoded(bad));
  }
  for (const auto field : {&FrameInfo::stored_bytes, &FrameInfo::raw_bytes, &FrameInfo::records,
                           &FrameInfo::filter_bytes, &FrameInfo::table_bytes}) {
    FrameInfo bad = good;
    bad.*field = UINT32_MAX;
    CHECK(!decoded(bad));
  }
}

TEST_CASE("the filter has every term, and one wrong answer in about a hundred", "[unit]") {
  std::mt19937_64 random(5);  // NOLINT(cert-msc*): the same on every run
  for (const std::size_t count : {1U, 10U, 1000U, 8000U, 20'000U}) {
    for (const bool small_numbers : {false, true}) {
      TermFilterBuilder builder;
      std::unordered_set<std::uint64_t> terms;
      while (terms.size() < count) terms.insert(small_numbers ? random() % (4 * count) : random());
      for (int repeat = 0; repeat < 3; ++repeat) {
        for (const std::uint64_t term : terms) builder.add(term);
      }
      const std::string bytes = builder.build();
      CHECK(bytes.size() <= count * kFilterBitsPerTerm / 8 + kFilterBlockBytes);
      const TermFilter filter(bytes);
      for (const std::uint64_t term : terms) CHECK(filter.may_contain(term));
      std::size_t wrong = 0;
      constexpr std::size_t kAsked = 20'000;
      for (std::size_t asked = 0; asked < kAsked; ++asked) {
        const std::uint64_t term = random();
        if (!terms.contains(term) && filter.may_contain(term)) ++wrong;
      }
      INFO(count << " terms, " << wrong << " wrong of " << kAsked);
      CHECK(wrong < kAsked * 2 / 100);
    }
  }
  CHECK(TermFilter().may_contain(1));
  CHECK(TermFilter("not whole blocks").may_contain(1));
  TermFilterBuilder none;
  CHECK(!TermFilter(none.build()).may_contain(1));
}

TEST_CASE("lines are found without an index, whatever their length", "[unit]") {
  FaultyFs files;
  const std::string longest = std::string(kLineBytesMax - 1, 'a') + '\n';
  const std::string text = "one\n" + longest + 'b' + longest + std::string("z\0ro\n", 5) + "\n" + "torn";
  files.write("/f", text);
  auto file = files.open("/f", OpenMode::kRead);
  std::vector<std::pair<std::uint64_t, bool>> found;
  std::uint64_t next = 0;
  REQUIRE(scan_lines(**file, 0, text.size(), [&](const ScannedLine& line) {
            CHECK(line.offset == next);
            next += line.length;
            found.emplace_back(line.length, line.whole);
            if (line.whole) CHECK(line.text == std::string_view(text).substr(line.offset, line.length));
          }).has_value());
  CHECK(next == text.size());
  CHECK(found ==
        std::vector<std::pair<std::uint64_t, bool>>{
            {4, true}, {kLineBytesMax, true}, {kLineBytesMax + 1, false}, {5, false}, {1, true}, {4, false}});
}

}  // namespace flowtally::test
