#include "journal/index_format.hpp"

#include <fmt/format.h>

#include "base/check.hpp"
#include "journal/bytes.hpp"

namespace flowtally::journal {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

constexpr std::string_view kMagic = "FTINDEX\n";
constexpr std::size_t kSummedHeaderBytes = 64;
constexpr std::size_t kSummedEntryBytes = 64;
constexpr std::uint64_t kHasPreviousKey = 1;

void put_key(const RecordKey& key, std::string& out) {
  put(out, key.boot_hash);
  put(out, key.epoch);
  put(out, key.part);
  put(out, key.parts);
}

RecordKey take_key(ByteReader& reader) {
  RecordKey key;
  reader.take(key.boot_hash);
  reader.take(key.epoch);
  reader.take(key.part);
  reader.take(key.parts);
  return key;
}

}  // namespace

std::string encode_published(std::uint64_t records) {
  std::string out;
  put(out, records);
  put(out, ~records);
  return out;
}

std::optional<std::uint64_t> decode_published(std::string_view bytes) {
  ByteReader reader(bytes);
  const auto records = reader.take<std::uint64_t>();
  const auto complement = reader.take<std::uint64_t>();
  if (!reader.ok() || records != ~complement) return std::nullopt;
  return records;
}

std::string encode_header(const IndexHeader& header, std::uint64_t published) {
  std::string out(kMagic);
  put(out, kJournalVersion);
  put(out, static_cast<std::uint32_t>(kIndexEntryBytes));
  put(out, header.first);
  put_key(header.previous_key.value_or(RecordKey{}), out);
  put(out, header.previous_key ? kHasPreviousKey : std::uint64_t{0});
  put(out, std::uint64_t{0});
  FLOWTALLY_CHECK(out.size() == kSummedHeaderBytes);
  put(out, checksum(out));
  out += encode_published(published);
  FLOWTALLY_CHECK(out.size() == kIndexHeaderBytes);
  return out;
}

base::Result<IndexHeader> decode_header(std::string_view bytes) {
  if (bytes.size() < kIndexHeaderBytes || !bytes.starts_with(kMagic))
    return fail(Error(ErrorCode::kCorrupt, "it is no index of a segment"));
  // In every version: magic, version, and at this place the checksum of all before it.
  const std::string_view summed = bytes.substr(0, kSummedHeaderBytes);
  if (ByteReader(bytes.substr(kSummedHeaderBytes)).take<std::uint64_t>() != checksum(summed))
    return fail(Error(ErrorCode::kCorrupt, "the header of an index is damaged"));
  ByteReader reader(summed.substr(kMagic.size()));
  const auto version = reader.take<std::uint32_t>();
  if (version > kJournalVersion) {
    return fail(
        Error(ErrorCode::kUnsupported,
              fmt::format("it has version {} of the format; this program knows {}", version, kJournalVersion))
            .advise("Use the newer program that wrote it, or another state directory"));
  }
  reader.skip(sizeof(std::uint32_t));
  IndexHeader header{.first = reader.take<Sequence>()};
  const RecordKey key = take_key(reader);
  const auto flags = reader.take<std::uint64_t>();
  if (flags == kHasPreviousKey) header.previous_key = key;
  return header;
}

void encode_entry(const IndexEntry& entry, Sequence sequence, std::string& out) {
  const std::size_t begin = out.size();
  put(out, entry.offset);
  put(out, entry.length);
  put(out, entry.flags);
  put(out, entry.start_ns);
  put(out, entry.end_ns);
  put_key(entry.key, out);
  put(out, entry.line_hash);
  FLOWTALLY_CHECK(out.size() - begin == kSummedEntryBytes);
  put(out, checksum(std::string_view(out).substr(begin), sequence));
}

std::optional<IndexEntry> decode_entry(std::string_view bytes, Sequence sequence) {
  if (bytes.size() != kIndexEntryBytes) return std::nullopt;
  ByteReader reader(bytes);
  IndexEntry entry;
  reader.take(entry.offset);
  reader.take(entry.length);
  reader.take(entry.flags);
  reader.take(entry.start_ns);
  reader.take(entry.end_ns);
  entry.key = take_key(reader);
  reader.take(entry.line_hash);
  if (reader.take<std::uint64_t>() != checksum(bytes.substr(0, kSummedEntryBytes), sequence))
    return std::nullopt;
  const bool lost = entry.has(kFlagLost);
  if (!lost && (entry.length == 0 || entry.length > kLineBytesMax)) return std::nullopt;
  if (entry.offset > (std::uint64_t{1} << 62U)) return std::nullopt;
  return entry;
}

}  // namespace flowtally::journal
