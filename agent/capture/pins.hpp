// This file keeps BPF objects alive without us: a directory in bpffs that belongs to one agent at a time. The
// names of what is pinned are what the next agent finds its way by.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace flowtally::capture {

/// The folder in bpffs under which everything of ours is, and nothing else.
inline constexpr const char* kPinsFolder = "flowtally";

/// Locks a directory for one holder (flock(2)), and tries again until `wait` is over. False: errno says why,
/// EWOULDBLOCK where another still has it.
[[nodiscard]] bool lock_within(int fd, std::chrono::milliseconds wait) noexcept;

/// One directory of pins, mode 0700. Not thread-safe.
class PinDirectory {
 public:
  /// Made if need be.
  [[nodiscard]] static base::Result<PinDirectory> make(std::string path);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
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
  /// Everything in it.
  void clear() const noexcept;
  /// Everything in it, and it.
  void remove_all() const noexcept;

 private:
  explicit PinDirectory(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] std::string path_of(std::string_view name) const;

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
  [[nodiscard]] base::Status discard() const;
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
