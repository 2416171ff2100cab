#include "support/prog_run.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include "base/check.hpp"
#include "flow.skel.h"

namespace flowtally::support {
namespace {

constexpr const char* kProgramNames[] = {"ft_egress_l3", "ft_ingress_l3", "ft_egress_ethernet",
                                         "ft_ingress_ethernet"};
constexpr std::uint32_t kLogStatistics = 4;  // BPF_LOG_STATS in linux/bpf_verifier.h

std::size_t index_of(Hook hook) { return static_cast<std::size_t>(hook); }

base::Error failed(int error, std::string what) {
  return base::Error::from_errno(error < 0 ? -error : error, std::move(what));
}

/// What libbpf and the verifier write, kept instead of printed. One at a time, like libbpf's printer itself.
class LibbpfText {
 public:
  LibbpfText() : before_(::libbpf_set_print(&LibbpfText::print)) { text().clear(); }
  ~LibbpfText() { ::libbpf_set_print(before_); }
  LibbpfText(const LibbpfText&) = delete;
  LibbpfText& operator=(const LibbpfText&) = delete;

  [[nodiscard]] static std::string tail() {
    constexpr std::size_t kTailBytes = 1500;
    return text().substr(text().size() - std::min(text().size(), kTailBytes));
  }

 private:
  static std::string& text() {
    static std::string collected;
    return collected;
  }
  static int print(libbpf_print_level level, const char* format, va_list arguments) {
    if (level == LIBBPF_DEBUG) return 0;
    char line[2048];
    const int written = std::vsnprintf(line, sizeof(line), format, arguments);
    text() += line;
    return written;
  }

  libbpf_print_fn_t before_;
};

std::span<const std::byte> production_image() {
  std::size_t size = 0;
  const void* const bytes = flow::elf_bytes(&size);
  return {static_cast<const std::byte*>(bytes), size};
}

/// The N of "processed N insns (limit …", which every kernel writes; bpf_prog_info has it only since 5.16.
std::uint32_t processed_instructions(std::string_view log) {
  constexpr std::string_view kBefore = "processed ";
  const auto at = log.find(kBefore);
  if (at == std::string_view::npos) return 0;
  std::uint32_t number = 0;
  for (const char digit : log.substr(at + kBefore.size())) {
    if (digit < '0' || digit > '9') break;
    number = number * 10 + static_cast<std::uint32_t>(digit - '0');
  }
  return number;
}

/// Values of a per-CPU map are arrays of u64 in the ABI, so they are summed as such.
template <class Value>
Value sum_over_cpus(const std::vector<Value>& values) {
  static_assert(sizeof(Value) % sizeof(std::uint64_t) == 0);
  std::uint64_t sums[sizeof(Value) / sizeof(std::uint64_t)]{};
  std::uint64_t one[sizeof(Value) / sizeof(std::uint64_t)];
  for (const Value& value : values) {
    std::memcpy(one, &value, sizeof(Value));
    for (std::size_t i = 0; i < std::size(one); i++) sums[i] += one[i];
  }
  Value sum;
  std::memcpy(&sum, sums, sizeof(Value));
  return sum;
}

std::size_t possible_cpus() { return static_cast<std::size_t>(std::max(::libbpf_num_possible_cpus(), 1)); }

template <class Value, class Key>
base::Result<Value> read_value(int map, const Key& key) {
  std::vector<Value> values(possible_cpus());
  if (const int error = ::bpf_map_lookup_elem(map, &key, values.data()); error != 0) {
    return base::fail(failed(error, "read an entry of a per-CPU map"));
  }
  return sum_over_cpus(values);
}

template <class Value>
base::Status zero_element(int map, std::uint32_t index) {
  const std::vector<Value> zeroes(possible_cpus());
  if (const int error = ::bpf_map_update_elem(map, &index, zeroes.data(), BPF_ANY); error != 0) {
    return base::fail(failed(error, "zero an element of a per-CPU array"));
  }
  return {};
}

template <class Key>
std::vector<Key> keys_of(int map) {
  std::vector<Key> keys;
  Key key{};
  for (const Key* before = nullptr; ::bpf_map_get_next_key(map, before, &key) == 0; before = &keys.back()) {
    keys.push_back(key);
  }
  return keys;
}

template <class Key, class Visit>
base::Status for_each_entry(int map, Visit visit) {
  for (const Key& key : keys_of<Key>(map)) {
    const auto counters = read_value<ft_counters>(map, key);
    if (!counters) return base::fail(counters.error());
    visit(key, *counters);
  }
  return {};
}

template <class Key>
void delete_all(int map) {
  for (const Key& key : keys_of<Key>(map)) ::bpf_map_delete_elem(map, &key);
}

template <class Key>
FlowEntry flow_entry(std::uint8_t family, const Key& key, const ft_counters& counters) {
  FlowEntry entry{.family = family,
                  .local_port = key.local_port,
                  .remote_port = key.remote_port,
                  .proto = key.proto,
                  .counters = counters};
  std::ranges::copy(key.local, entry.local.begin());
  std::ranges::copy(key.remote, entry.remote.begin());
  return entry;
}

base::Result<base::UniqueFd> make_inner(const char* name, std::uint32_t key_bytes, std::uint32_t entries) {
  base::UniqueFd map(
      ::bpf_map_create(BPF_MAP_TYPE_PERCPU_HASH, name, key_bytes, sizeof(ft_counters), entries, nullptr));
  if (!map.valid()) return base::fail(failed(errno, fmt::format("make the inner map {}", name)));
  return map;
}

/// The frame's type follows the version of the packet; what has neither gets IPv4's, so that the parser sees
/// it.
std::uint16_t ether_type_of(std::span<const std::uint8_t> ip) {
  return !ip.empty() && ip[0] >> 4U == 6 ? ETH_P_IPV6 : ETH_P_IP;
}

Bytes ethernet_header(std::uint16_t type) {
  return {2,
          0,
          0,
          0,
          0,
          1,
          2,
          0,
          0,
          0,
          0,
          2,
          static_cast<std::uint8_t>(type >> 8U),
          static_cast<std::uint8_t>(type & 0xffU)};
}

}  // namespace

bool may_load_programs() noexcept {
  const bpf_insn instructions[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  const base::UniqueFd program(::bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "may_load", "GPL", instructions,
                                               std::size(instructions), nullptr));
  return program.valid() || errno != EPERM;
}

const char* name_of(Hook hook) noexcept { return kProgramNames[index_of(hook)]; }

ft_direction direction_of(Hook hook) noexcept {
  return hook == Hook::kEgressL3 || hook == Hook::kEgressEthernet ? FT_TX : FT_RX;
}

bool is_ethernet(Hook hook) noexcept {
  return hook == Hook::kEgressEthernet || hook == Hook::kIngressEthernet;
}

void LoadedProgram::ObjectDeleter::operator()(bpf_object* object) const noexcept {
  ::bpf_object__close(object);
}
void LoadedProgram::ControlDeleter::operator()(ft_control* control) const noexcept {
  ::munmap(control, sizeof(ft_control));
}
void LoadedProgram::RingDeleter::operator()(ring_buffer* ring) const noexcept { ::ring_buffer__free(ring); }

LoadedProgram::LoadedProgram(LoadedProgram&& other) noexcept = default;
LoadedProgram& LoadedProgram::operator=(LoadedProgram&& other) noexcept = default;
LoadedProgram::~LoadedProgram() = default;

base::Result<LoadedProgram> LoadedProgram::load(const Options& options) {
  LoadedProgram program;
  if (auto done = program.load_object(options); !done) return base::fail(std::move(done.error()));
  for (std::uint32_t generation = 0; generation < FT_GENERATIONS; generation++) {
    if (auto done = program.make_generation(generation, options); !done)
      return base::fail(std::move(done.error()));
  }
  if (auto done = program.map_control(); !done) return base::fail(std::move(done.error()));
  for (ft_generation& generation : program.control_->generation) {
    generation.pressure4 = generation.pressure6 = options.pressure;
  }
  if (auto done = program.open_ring(); !done) return base::fail(std::move(done.error()));
  return program;
}

base::Status LoadedProgram::load_object(const Options& options) {
  const LibbpfText libbpf_text;
  const auto image = options.image.empty() ? production_image() : options.image;
  object_.reset(::bpf_object__open_mem(image.data(), image.size(), nullptr));
  if (!object_) return base::fail(failed(errno, "open the BPF object"));

  const ft_config config{.exclude = options.exclude ? 1U : 0U};
  bpf_map* const block = ::bpf_object__find_map_by_name(object_.get(), ".rodata.config");
  if (block == nullptr || ::bpf_map__set_initial_value(block, &config, sizeof(config)) != 0) {
    return base::fail(base::Error(base::ErrorCode::kInternal, "the BPF object has no .rodata.config"));
  }
  std::vector<char> logs[4];
  for (const Hook hook : kHooks) {
    bpf_program* const program = ::bpf_object__find_program_by_name(object_.get(), name_of(hook));
    if (program == nullptr)
      return base::fail(failed(ENOENT, fmt::format("find the program {}", name_of(hook))));
    logs[index_of(hook)].resize(4096);
    ::bpf_program__set_log_buf(program, logs[index_of(hook)].data(), logs[index_of(hook)].size());
    ::bpf_program__set_log_level(program, kLogStatistics);
  }
  if (const int error = ::bpf_object__load(object_.get()); error != 0) {
    return base::fail(failed(error, fmt::format("load the BPF object ({})", LibbpfText::tail())));
  }
  for (const Hook hook : kHooks) {
    bpf_program* const program = ::bpf_object__find_program_by_name(object_.get(), name_of(hook));
    ::bpf_program__set_log_buf(program, nullptr, 0);  // the buffers end here
    bpf_prog_info info{};
    __u32 info_bytes = sizeof(info);
    if (::bpf_obj_get_info_by_fd(::bpf_program__fd(program), &info, &info_bytes) != 0) {
      return base::fail(failed(errno, fmt::format("read the size of {}", name_of(hook))));
    }
    sizes_[index_of(hook)] = {.verified_instructions = processed_instructions(logs[index_of(hook)].data()),
                              .jited_bytes = info.jited_prog_len};
  }
  return {};
}

base::Status LoadedProgram::make_generation(std::uint32_t generation, const Options& options) {
  InnerMaps& maps = generations_[generation];
  const struct {
    const char* name;
    base::UniqueFd& into;
    std::uint32_t key_bytes;
    std::uint32_t entries;
  } kinds[] = {{"flows4", maps.flows4, sizeof(ft_flow4_key), options.flows_max},
               {"flows6", maps.flows6, sizeof(ft_flow6_key), options.flows_max},
               {"coarse", maps.coarse, sizeof(ft_coarse_key), options.coarse_max}};
  for (const auto& kind : kinds) {
    if (kind.entries == 0) continue;
    auto map = make_inner(kind.name, kind.key_bytes, kind.entries);
    if (!map) return base::fail(std::move(map.error()));
    const int fd = map->get();
    if (const int error = ::bpf_map_update_elem(map_fd(kind.name), &generation, &fd, BPF_ANY); error != 0) {
      return base::fail(failed(error, fmt::format("put {} in place", kind.name)));
    }
    kind.into = std::move(*map);
  }
  return {};
}

base::Status LoadedProgram::map_control() {
  void* const block =
      ::mmap(nullptr, sizeof(ft_control), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd(".data.control"), 0);
  if (block == MAP_FAILED) return base::fail(failed(errno, "map the control block"));
  control_.reset(static_cast<ft_control*>(block));
  return {};
}

base::Status LoadedProgram::open_ring() {
  events_ = std::make_unique<std::vector<ft_pressure_event>>();
  const auto take = [](void* events, void* data, std::size_t bytes) {
    ft_pressure_event event{};
    std::memcpy(&event, data, std::min(bytes, sizeof(event)));
    static_cast<std::vector<ft_pressure_event>*>(events)->push_back(event);
    return 0;
  };
  ring_.reset(::ring_buffer__new(map_fd("pressure"), take, events_.get(), nullptr));
  if (!ring_) return base::fail(failed(errno, "open the ring buffer"));
  return {};
}

int LoadedProgram::map_fd(const char* name) const noexcept {
  return ::bpf_object__find_map_fd_by_name(object_.get(), name);
}

base::Result<RunResult> LoadedProgram::run(Hook hook, std::span<const std::uint8_t> ip,
                                           const SkbFields& skb) {
  if (!is_ethernet(hook)) return run_frame(hook, Bytes(ip.begin(), ip.end()), 0, skb);
  Bytes frame = ethernet_header(ether_type_of(ip));
  frame.insert(frame.end(), ip.begin(), ip.end());
  return run_frame(hook, frame, kEthernetHeaderBytes, skb);
}

base::Result<RunResult> LoadedProgram::run_ethernet(Hook hook, std::uint16_t ether_type,
                                                    std::span<const std::uint8_t> payload) {
  FLOWTALLY_CHECK(is_ethernet(hook));
  Bytes frame = ethernet_header(ether_type);
  frame.insert(frame.end(), payload.begin(), payload.end());
  return run_frame(hook, frame, kEthernetHeaderBytes, {});
}

base::Result<RunResult> LoadedProgram::run_frame(Hook hook, const Bytes& frame, std::size_t link_bytes,
                                                 const SkbFields& skb) {
  __sk_buff context{};
  context.gso_size = skb.gso_size;
  context.gso_segs = skb.gso_segs;
  // The kernel's wire_len has a link header per segment.
  if (skb.wire_len != 0)
    context.wire_len = skb.wire_len + skb.gso_segs * static_cast<std::uint32_t>(link_bytes);
  Bytes out(frame.size() + 64);

  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<__u32>(frame.size());
  options.data_out = out.data();
  options.data_size_out = static_cast<__u32>(out.size());
  options.ctx_in = &context;
  options.ctx_size_in = sizeof(context);
  options.repeat = 1;
  const bpf_program* const program = ::bpf_object__find_program_by_name(object_.get(), name_of(hook));
  if (const int error = ::bpf_prog_test_run_opts(::bpf_program__fd(program), &options); error != 0) {
    return base::fail(failed(error, fmt::format("run {} on {} bytes", name_of(hook), frame.size())));
  }
  out.resize(options.data_size_out);
  const bool same_link =
      out.size() >= link_bytes &&
      std::equal(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(link_bytes), out.begin());
  if (!same_link)
    return base::fail(base::Error(base::ErrorCode::kCorrupt, "the program changed the Ethernet header"));
  out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(link_bytes));
  return RunResult{.verdict = static_cast<int>(options.retval), .packet = std::move(out)};
}

base::Result<Counted> LoadedProgram::read(std::uint32_t generation) const {
  FLOWTALLY_CHECK(generation < FT_GENERATIONS);
  const InnerMaps& maps = generations_[generation];
  Counted counted;
  const auto flow = [&counted](std::uint8_t family) {
    return [&counted, family](const auto& key, const ft_counters& counters) {
      counted.flows.push_back(flow_entry(family, key, counters));
    };
  };
  const auto coarse = [&counted](const ft_coarse_key& key, const ft_counters& counters) {
    CoarseEntry entry{.family = key.family, .proto = key.proto, .counters = counters};
    std::ranges::copy(key.remote, entry.remote.begin());
    counted.coarse.push_back(entry);
  };
  if (auto done = for_each_entry<ft_flow4_key>(maps.flows4.get(), flow(4)); !done)
    return base::fail(done.error());
  if (auto done = for_each_entry<ft_flow6_key>(maps.flows6.get(), flow(6)); !done)
    return base::fail(done.error());
  if (auto done = for_each_entry<ft_coarse_key>(maps.coarse.get(), coarse); !done)
    return base::fail(done.error());

  const auto totals = read_value<ft_totals>(map_fd("totals"), generation);
  if (!totals) return base::fail(totals.error());
  const auto rest = read_value<ft_rest>(map_fd("rest"), generation);
  if (!rest) return base::fail(rest.error());
  counted.totals = *totals;
  counted.rest = *rest;
  return counted;
}

base::Status LoadedProgram::clear(std::uint32_t generation) {
  FLOWTALLY_CHECK(generation < FT_GENERATIONS);
  const InnerMaps& maps = generations_[generation];
  delete_all<ft_flow4_key>(maps.flows4.get());
  delete_all<ft_flow6_key>(maps.flows6.get());
  delete_all<ft_coarse_key>(maps.coarse.get());
  ft_generation& state = control_->generation[generation];
  state.flows4 = state.flows6 = state.signalled = state.lost_signals = 0;
  if (auto done = zero_element<ft_rest>(map_fd("rest"), generation); !done) return done;
  return zero_element<ft_totals>(map_fd("totals"), generation);
}

base::Result<std::vector<ft_pressure_event>> LoadedProgram::pressure_events() {
  if (const int taken = ::ring_buffer__consume(ring_.get()); taken < 0) {
    return base::fail(failed(taken, "read the ring buffer"));
  }
  return std::exchange(*events_, {});
}

base::Status LoadedProgram::set_block(const char* name, std::span<const std::byte> content) {
  bpf_map* const block = ::bpf_object__find_map_by_name(object_.get(), name);
  if (block == nullptr || ::bpf_map__value_size(block) != content.size()) {
    return base::fail(
        base::Error(base::ErrorCode::kInvalidArgument, fmt::format("no block {} of that size", name)));
  }
  const std::uint32_t only = 0;
  if (const int error = ::bpf_map_update_elem(::bpf_map__fd(block), &only, content.data(), BPF_ANY);
      error != 0) {
    return base::fail(failed(error, fmt::format("write the block {}", name)));
  }
  return {};
}

}  // namespace flowtally::support
