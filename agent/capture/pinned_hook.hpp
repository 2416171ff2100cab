// This file is the pins of one hook of one device: the link, where the kernel has links for it, and the
// program, by whose id its clsact filter is found again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.hpp"
#include "capture/attachment.hpp"
#include "capture/pins.hpp"

namespace flowtally::capture {

/// Pins NAME_tx or NAME_rx and those that begin so. The directory must outlive it.
class PinnedHook {
 public:
  PinnedHook(const PinDirectory& directory, const std::string& name, Direction direction)
      : directory_(directory),
        direction_(direction),
        link_(name + (direction == Direction::kTx ? "_tx" : "_rx")) {}

  /// The hook of an earlier run with our program in place of its own; nothing where there is none that can be
  /// taken over.
  [[nodiscard]] std::optional<TcxLink> adopt_link(int program_fd, const Device& device) const;
  [[nodiscard]] std::optional<ClsactFilter> adopt_filter(int program_fd, const Device& device) const;

  /// Before a filter is attached: killed in between, the next run finds it by its program.
  [[nodiscard]] base::Status pin_program(int program_fd) const;
  /// After it was attached: pins the link, or notes that we made the qdisc.
  [[nodiscard]] base::Status keep(const std::variant<TcxLink, ClsactFilter>& hook) const;
  void remove() const noexcept;

  /// True for pins of programs, which are all that a filter can be known by.
  [[nodiscard]] static bool names_program(std::string_view pin) noexcept {
    return pin.ends_with("_program") || pin.ends_with("_program_next");
  }

 private:
  [[nodiscard]] std::string program() const { return link_ + "_program"; }
  [[nodiscard]] std::string next_program() const { return link_ + "_program_next"; }
  /// 0: nothing is pinned there.
  [[nodiscard]] std::uint32_t program_id_of(const std::string& name) const;
  [[nodiscard]] std::string made_qdisc() const { return link_ + "_made_qdisc"; }

  const PinDirectory& directory_;
  Direction direction_;
  std::string link_;
};

}  // namespace flowtally::capture
