// This file tells the allocator what kind of program this is: many threads, each with a few large buffers
// that come and go.
#pragma once

namespace flowtally::base {

/// Large pieces go back to the kernel when they are freed, and threads share two heaps. glibc's default, a
/// heap for each thread that keeps what it once had, takes half as much again with ten sinks
/// (docs/benchmarks.md). To be called before threads are started.
void give_memory_back() noexcept;

}  // namespace flowtally::base
