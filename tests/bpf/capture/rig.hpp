// This file is a program with its table, without a device and drained by hand: what the capture's BPF tests
// and benchmarks work on.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/check.hpp"
#include "capture/generation_switch.hpp"
#include "capture/percpu_hash_table.hpp"
#include "capture/totals_maps.hpp"

namespace flowtally::test {

/// Whether a swap waits for the programs that run, as it must; a test leaves the wait out to show that it is
/// needed.
enum class Wait : std::uint8_t { kYes, kNo };

/// Whatever fails here ends the process: it is not what is tested.
struct Rig {
  explicit Rig(std::uint32_t flows_max, std::span<const std::byte> image = capture::production_image())
      : program(std::make_unique<capture::Program>(capture::Program::load({.image = image}).value())),
        table(capture::PercpuHashTable::create(*program, flows_max).value()),
        totals(capture::TotalsMaps::open(*program).value()),
        generation_switch(capture::GenerationSwitch::create(*program).value()) {}

  /// Makes the other generation active and gives the retired one.
  capture::GenerationIndex retire(Wait wait = Wait::kYes) {
    generation_switch.flip(base::now());
    const capture::GenerationIndex retired = generation_switch.retired().value();
    if (wait == Wait::kYes) FLOWTALLY_CHECK(generation_switch.barrier().has_value());
    return retired;
  }
  void read(capture::GenerationIndex index, model::Generation& into) {
    FLOWTALLY_CHECK(table->read(index, into).has_value());
    FLOWTALLY_CHECK(totals.read(index, into).has_value());
  }
  void reset(capture::GenerationIndex index, const model::Generation& drained) {
    FLOWTALLY_CHECK(table->reset(index, drained).has_value());
    FLOWTALLY_CHECK(totals.reset(index, drained).has_value());
    generation_switch.forget_retired();
  }
  model::Generation drain(Wait wait = Wait::kYes) {
    model::Generation generation;
    const capture::GenerationIndex retired = retire(wait);
    read(retired, generation);
    reset(retired, generation);
    return generation;
  }

  std::unique_ptr<capture::Program> program;
  std::unique_ptr<capture::FlowTable> table;
  capture::TotalsMaps totals;
  capture::GenerationSwitch generation_switch;
};

}  // namespace flowtally::test
