// This file keeps BPF objects alive without us: a directory in bpffs that belongs to one agent at a time. The
// names of what is pinned are what the next agent finds its way by.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace flowtally::capture {

/// The folder in bpffs under which everything of ours is, and nothing else.
inline constexpr const char* kPinsFolder = "flowtally";

/// One directory of pins, mode 0700, held open: what is done in it is done there and nowhere else, whatever
/// happens to its path meanwhile. Nobody else's is taken for ours: bpffs may be open to everybody (its
/// default mode is 1777), and a link there would lead root anywhere. Copies are the same directory. Not
/// thread-safe.
class PinDirectory {
 public:
  /// BPFFS/flowtally, made if need be. kNotFound: `bpffs` is none.
  [[nodiscard]] static base::Result<PinDirectory> root(const std::string& bpffs);
  /// Whether root() and make() would do; leaves nothing behind that was not there.
  [[nodiscard]] static base::Status try_root(const std::string& bpffs);
  /// A directory in this one, made if need be. kPermission: what is there is a link, a file, or another
  /// user's.
  [[nodiscard]] base::Result<PinDirectory> make(std::string_view name) const;

  /// For messages.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// What is pinned under that name; an invalid descriptor if nothing is. The name may have dots, which bpffs
  /// does not allow: they become colons.
  [[nodiscard]] base::Result<base::UniqueFd> get(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const noexcept;
  /// Pins a map, program or link under that name, in place of what was there: at each instant the old or the
  /// new one is.
  [[nodiscard]] base::Status put(std::string_view name, int fd) const;
  /// Nothing happens where there is none.
  void remove(std::string_view name) const noexcept;
  /// `from` takes the place of `to`.
  [[nodiscard]] base::Status rename(std::string_view from, std::string_view to) const;
  /// Of pins and of directories, sorted, as put() and make() were given them.
  [[nodiscard]] std::vector<std::string> names() const;
  /// Held by nobody else as long as the descriptor is open, unless another holds it already: then, after
  /// `wait`, kResource.
  [[nodiscard]] base::Result<base::UniqueFd> lock(std::chrono::milliseconds wait) const;
  /// Everything in it.
  void clear() const noexcept;
  /// Everything in it, and it.
  void remove_all() const noexcept;

 private:
  using Descriptor = std::shared_ptr<const base::UniqueFd>;
  enum class Missing : bool { kMake, kFail };

  PinDirectory(Descriptor parent, Descriptor self, std::string name, std::string path)
      : parent_(std::move(parent)), self_(std::move(self)), name_(std::move(name)), path_(std::move(path)) {}
  [[nodiscard]] static base::Result<PinDirectory> open(const Descriptor& parent, const std::string& above,
                                                       std::string_view name, Missing missing);
  [[nodiscard]] std::string path_of(std::string_view name) const;
  [[nodiscard]] std::string way_to(std::string_view name) const;
  [[nodiscard]] int fd() const noexcept { return self_->get(); }

  Descriptor parent_;
  Descriptor self_;
  std::string name_;
  std::string path_;
};

/// The pins of one interface in one network namespace, locked: ROOT/flowtally/NETNS-INTERFACE, where NETNS is
/// the inode of the namespace. Links and programs are in it; the maps of each ABI version in a directory of
/// their own, abiN, so that a program can be replaced by one with other maps while it counts.
class Pins {
 public:
  /// kResource: another process has them, and still had after `wait`.
  [[nodiscard]] static base::Result<Pins> open(const std::string& bpffs, const std::string& interface,
                                               std::chrono::milliseconds wait = {});

  /// Of links and programs.
  [[nodiscard]] const PinDirectory& links() const noexcept { return links_; }
  /// Maps of our own ABI version.
  [[nodiscard]] const PinDirectory& maps() const noexcept { return maps_; }
  /// The map directories of other versions, and those that were set aside.
  [[nodiscard]] std::vector<PinDirectory> foreign_maps() const;
  /// Nothing counts in these maps any more, and whoever is of their version is not to go on in them: from now
  /// on they can only be drained. The end of their active generation, `now`, goes into the name. Those that
  /// are set aside already stay as they are.
  [[nodiscard]] base::Result<PinDirectory> set_aside(const PinDirectory& maps, base::Moment now) const;
  /// Since when they are; none: they are not.
  [[nodiscard]] static std::optional<base::Moment> set_aside_since(const PinDirectory& maps);

  /// All maps of our version are pinned; from then on what they count is somebody's to drain.
  [[nodiscard]] base::Status mark_complete(int control_fd) const;
  [[nodiscard]] static bool complete(const PinDirectory& maps) noexcept { return maps.has(kComplete); }

  /// Everything of this interface goes, but for the lock: what was attached only through its pin is taken off
  /// by that.
  [[nodiscard]] base::Status discard();
  /// The directory goes too: nothing more can be pinned.
  void remove_all() const noexcept { links_.remove_all(); }

 private:
  static constexpr std::string_view kComplete = "complete";

  Pins(base::UniqueFd lock, PinDirectory links, PinDirectory maps)
      : lock_(std::move(lock)), links_(std::move(links)), maps_(std::move(maps)) {}

  base::UniqueFd lock_;
  PinDirectory links_;
  PinDirectory maps_;
};

}  // namespace flowtally::capture
