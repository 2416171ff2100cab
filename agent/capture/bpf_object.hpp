// This file loads one BPF object file. Objects beside the main one share its maps, so that all of them count
// in the same generation. Only this folder sees libbpf.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "capture/pins.hpp"

struct bpf_object;

namespace flowtally::capture {

/// A loaded object: its programs and maps. Move-only; what it gave out ends with it, but for what is attached
/// or pinned.
class BpfObject {
 public:
  /// Initial content of a map, such as `.rodata.config`; copied.
  struct Initial {
    const char* map = nullptr;
    std::span<const std::byte> bytes{};
  };
  struct Options {
    std::span<const std::byte> image{};
    const char* what = "";              ///< for messages: "BPF program"
    const BpfObject* shares = nullptr;  ///< maps that it has too, by name, are its maps
    std::vector<Initial> initial{};
    /// Maps that are pinned here, by name, are its maps, with what they hold; its other maps are pinned here,
    /// but for constants. Null: nothing is pinned.
    const PinDirectory* pins = nullptr;
    /// Functions that are loaded; the others stay in the file. Empty: all.
    std::vector<const char*> programs{};
  };

  /// Loads and verifies. kPermission without CAP_BPF and CAP_NET_ADMIN, kUnsupported where the verifier or
  /// the kernel refuses; the text ends with the last lines that libbpf or the verifier wrote. On failure
  /// nothing stays loaded.
  [[nodiscard]] static base::Result<BpfObject> load(const Options& options);

  BpfObject(BpfObject&& other) noexcept;
  BpfObject& operator=(BpfObject&& other) noexcept;
  ~BpfObject();

  /// Descriptor of a program by its function's name; owned by this object. It must be one that was loaded.
  [[nodiscard]] int program_fd(const char* name) const noexcept;
  /// Descriptor of a map by its name; owned by this object. The name must exist.
  [[nodiscard]] int map_fd(const char* name) const noexcept;

 private:
  struct Deleter {
    void operator()(bpf_object* object) const noexcept;
  };
  explicit BpfObject(bpf_object* object) noexcept : object_(object) {}

  std::unique_ptr<bpf_object, Deleter> object_;
};

}  // namespace flowtally::capture
