#include "journal/journal_end.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "journal/names.hpp"
#include "journal/raw_segment.hpp"
#include "journal/sealed_segment.hpp"
#include "journal/segment_list.hpp"

namespace flowtally::journal {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;

Result<Sequence> journal_end(FileSystem& files, const std::string& directory) {
  for (int look = 0; look < kLooksMax; ++look) {
    const auto listing = list_journal(files, directory);
    if (!listing) return fail(listing.error());
    const auto removed = load_removed(files, directory);
    const Sequence below = removed ? removed->below : 1;
    const auto last =
        std::ranges::find_if(listing->segments.rbegin(), listing->segments.rend(),
                             [](const auto& segment) { return segment.sealed || segment.lines; });
    if (last == listing->segments.rend()) return below;
    if (last->sealed) {
      const auto trailer = SealedSegment::read_trailer(files, directory, last->first);
      if (trailer) return trailer->next;
      if (trailer.error().code() == ErrorCode::kCorrupt) {
        const auto salvaged = SealedSegment::salvage(files, directory, last->first);
        if (salvaged) return salvaged->trailer().next;
      }
      if (trailer.error().code() != ErrorCode::kNotFound) return fail(trailer.error());
      continue;
    }
    auto raw = RawSegment::open(files, directory, last->first);
    if (raw) {
      const auto published = raw->published();
      if (!published) return fail(published.error());
      return last->first + *published;
    }
    if (raw.error().code() != ErrorCode::kNotFound) return fail(std::move(raw.error()));
  }
  return fail(
      Error(ErrorCode::kIo, fmt::format("the end of {} cannot be found: its files come and go", directory)));
}

}  // namespace flowtally::journal
