// This file reads who is who from a YAML file: for a node without tailscaled in reach. The grammar, with an
// example, is in docs/formats/identity.md. Pure but for read_identity_file().
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "identity/local_addresses.hpp"
#include "model/tailnet.hpp"

namespace flowtally::identity {

/// Of the file: some 40,000 peers.
inline constexpr std::size_t kIdentityFileBytesMax = std::size_t{8} << 20U;
/// Entries of one list of the file, but for the peers.
inline constexpr std::size_t kFileListMax = 4096;

/// A tailnet of source kFile, peers sorted by id. Every fault is an error with "NAME:LINE:COLUMN: ": an
/// unknown key, a value that cannot be, an id or address that two nodes have. Texts have the limits of
/// status_parser.hpp.
[[nodiscard]] base::Result<model::Tailnet> parse_identity(std::string_view text, const std::string& name,
                                                          const LocalAddresses& local);

/// Reads the file and this host's addresses.
[[nodiscard]] base::Result<model::Tailnet> read_identity_file(const std::string& path);

}  // namespace flowtally::identity
