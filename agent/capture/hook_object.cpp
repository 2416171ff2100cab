#include "capture/hook_object.hpp"

#include <vector>

namespace flowtally::capture {
namespace {

const std::array<const char*, 2>& pair_of(const HookObject::Names& names, LinkLayer link_layer) {
  return names[static_cast<std::size_t>(link_layer)];
}

}  // namespace

base::Result<HookObject> HookObject::load(const BpfObject::Options& options, const Names& names,
                                          LinkLayer first) {
  const auto& pair = pair_of(names, first);
  BpfObject::Options with_pair = options;
  with_pair.programs.assign(pair.begin(), pair.end());
  auto object = BpfObject::load(with_pair);
  if (!object) return base::fail(std::move(object.error()));
  return HookObject(std::move(*object), options, names, first);
}

base::Result<HookPrograms> HookObject::programs(LinkLayer link_layer) {
  const auto& pair = pair_of(names_, link_layer);
  if (link_layer != first_layer_ && !second_) {
    auto object = BpfObject::load(
        {.image = image_, .what = what_, .shares = &first_, .programs = {pair.begin(), pair.end()}});
    if (!object) return base::fail(std::move(object.error()));
    second_.emplace(std::move(*object));
  }
  const BpfObject& object = link_layer == first_layer_ ? first_ : *second_;
  return HookPrograms{.tx = object.program_fd(pair[static_cast<std::size_t>(Direction::kTx)]),
                      .rx = object.program_fd(pair[static_cast<std::size_t>(Direction::kRx)])};
}

}  // namespace flowtally::capture
