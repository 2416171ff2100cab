// Goal: no identity file harms its reader, every fault has a place, and what is taken is within its limits.
// Method: libFuzzer on texts, through yaml-cpp.
#include <cstddef>
#include <cstdint>
#include <set>
#include <string_view>

#include "base/check.hpp"
#include "identity/file_identity.hpp"
#include "identity/status_parser.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flowtally;
  using namespace flowtally::identity;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto tailnet = parse_identity(text, "f", {});
  if (!tailnet) {
    FLOWTALLY_CHECK(tailnet.error().text().starts_with("f:"));
    return 0;
  }
  std::set<std::string_view> ids = {tailnet->self.id};
  for (const model::Node& peer : tailnet->peers) {
    FLOWTALLY_CHECK(ids.insert(peer.id).second);
    FLOWTALLY_CHECK(!peer.addresses.empty() && peer.id.size() <= kIdBytesMax);
  }
  FLOWTALLY_CHECK(!tailnet->self.id.empty() && !tailnet->self.addresses.empty());
  FLOWTALLY_CHECK(tailnet->prefs.has_value());
  return 0;
}
