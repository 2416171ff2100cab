// This file seals a full segment: its lines become independent zstd frames, its index the end of the file.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "base/result.hpp"
#include "journal/entry.hpp"
#include "journal/file_system.hpp"
#include "journal/sealed_format.hpp"

namespace flowtally::journal {

struct SealOptions {
  int zstd_level = 1;  ///< on flow records level 3 is slower and no smaller
  TermsOf terms_of{};  ///< none: every frame may contain everything
};

struct SealedFile {
  Trailer trailer;
  std::uint64_t bytes = 0;  ///< of the sealed file
  std::uint64_t lost = 0;   ///< records that are damaged and were left out
};

/// Writes the sealed file aside, syncs it, renames it, syncs the directory and then removes the files that it
/// stands for; a crash at any point leaves one good version. Damaged records are left out, their numbers
/// become a gap. With an Error, or with nothing because it was told to stop, the segment is as it was.
/// Memory: two frames and the index.
[[nodiscard]] base::Result<std::optional<SealedFile>> seal_segment(FileSystem& files,
                                                                   const std::string& directory,
                                                                   Sequence first, const SealOptions& options,
                                                                   const std::stop_token& stop);

/// Removes the files of the open form, lines first: an index without lines is known to be left over.
[[nodiscard]] base::Status remove_raw(FileSystem& files, const std::string& directory, Sequence first);

}  // namespace flowtally::journal
