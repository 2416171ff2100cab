#include "identity/identity.hpp"

#include <utility>

#include "base/clock.hpp"
#include "identity/file_identity.hpp"
#include "identity/tailscaled_source.hpp"

namespace flowtally::identity {
namespace {

/// A snapshot that stays as it is.
class FixedSource final : public IdentitySource {
 public:
  explicit FixedSource(Snapshot snapshot) : snapshot_(std::move(snapshot)) {}

  [[nodiscard]] Snapshot snapshot() const override { return snapshot_; }
  bool refresh(std::chrono::milliseconds /*wait*/) override { return false; }
  [[nodiscard]] int event_fd() const override { return -1; }
  [[nodiscard]] std::vector<Event> take_events() override { return {}; }
  [[nodiscard]] Status status() const override { return {}; }

 private:
  const Snapshot snapshot_;
};

}  // namespace

std::unique_ptr<IdentitySource> no_identity() {
  return std::make_unique<FixedSource>(Snapshot{.nodes = model::NodeMap::make({})});
}

base::Result<std::unique_ptr<IdentitySource>> identity_of_file(const std::string& path) {
  auto tailnet = read_identity_file(path);
  if (!tailnet) return base::fail(std::move(tailnet.error()));
  return std::make_unique<FixedSource>(
      Snapshot{.nodes = model::NodeMap::make(std::move(*tailnet)), .read_boot_ns = base::now().boot_ns});
}

base::Result<std::unique_ptr<IdentitySource>> identity_of_tailscaled(TailscaledOptions options) {
  auto source = TailscaledSource::start(std::move(options));
  if (!source) return base::fail(std::move(source.error()));
  return std::unique_ptr<IdentitySource>(std::move(*source));
}

}  // namespace flowtally::identity
