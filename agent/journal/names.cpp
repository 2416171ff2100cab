#include "journal/names.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include <fmt/format.h>

namespace flowtally::journal {
namespace {

constexpr std::size_t kDigits = 20;

/// The number that a name begins with, if the twenty digits are one.
std::optional<Sequence> first_of(std::string_view name) {
  if (name.size() <= kDigits) return std::nullopt;
  Sequence first = 0;
  const char* const end = name.data() + kDigits;
  const auto parsed = std::from_chars(name.data(), end, first);
  if (parsed.ec != std::errc() || parsed.ptr != end || first == 0) return std::nullopt;
  return first;
}

}  // namespace

std::string segment_name(Sequence first, std::string_view suffix) {
  return fmt::format("{:020}{}", first, suffix);
}

std::string segment_path(const std::string& directory, Sequence first, std::string_view suffix) {
  return fmt::format("{}/{:020}{}", directory, first, suffix);
}

base::Result<Listing> list_journal(FileSystem& files, const std::string& directory) {
  auto names = files.list(directory);
  if (!names) {
    if (names.error().code() == base::ErrorCode::kNotFound) return Listing{};
    return base::fail(std::move(names.error()));
  }
  Listing listing;
  std::map<Sequence, SegmentFiles> segments;
  for (std::string& name : *names) {
    if (name.ends_with(kAsideSuffix)) {
      listing.aside.push_back(std::move(name));
      continue;
    }
    const auto first = first_of(name);
    if (!first) continue;
    const std::string_view suffix = std::string_view(name).substr(kDigits);
    if (suffix != kLinesSuffix && suffix != kIndexSuffix && suffix != kSealedSuffix) continue;
    SegmentFiles& segment = segments[*first];
    segment.first = *first;
    segment.lines |= suffix == kLinesSuffix;
    segment.index |= suffix == kIndexSuffix;
    segment.sealed |= suffix == kSealedSuffix;
  }
  if (segments.size() > kSegmentsMax) {
    return base::fail(base::Error(base::ErrorCode::kResource,
                                  fmt::format("{} has {} segments, more than the {} that are dealt with",
                                              directory, segments.size(), kSegmentsMax)));
  }
  listing.segments.reserve(segments.size());
  for (const auto& [first, segment] : segments) listing.segments.push_back(segment);
  return listing;
}

}  // namespace flowtally::journal
