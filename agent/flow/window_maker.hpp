// This file turns a drained generation into a window of flows. Pure: no file, socket, clock or BPF.
#pragma once

#include "model/generation.hpp"
#include "model/window.hpp"

namespace flowtally::flow {

/// The window of a generation: flows in record order, entries without a count left out (they are places kept
/// for busy flows), coarse entries and `rest` together in `coarse`. Takes the totals as they are, so that
/// Window::conserved() compares two independent counts; but for drops that turn out to be of an earlier
/// generation, which become `dropped_late` where they were taken off, and `totals.rest`, the sum of `rest`.
[[nodiscard]] model::Window make_window(const model::Generation& generation);

}  // namespace flowtally::flow
