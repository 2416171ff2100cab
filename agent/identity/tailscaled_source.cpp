#include "identity/tailscaled_source.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "identity/bus.hpp"
#include "identity/local_addresses.hpp"
#include "identity/socket_folder.hpp"

namespace flowtally::identity {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;

/// The longest wait without a reason; only a bound.
constexpr std::chrono::milliseconds kWaitMax{60'000};

/// Any seed will do: it only keeps several agents of one host apart.
std::uint32_t seed() { return static_cast<std::uint32_t>(base::now().boot_ns ^ ::getpid()) | 1U; }

/// Starts the thread with all signals blocked: they are for those who wait for them.
template <class Function>
base::Result<std::thread> start_thread(Function function) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  if (const int error = ::pthread_sigmask(SIG_SETMASK, &all, &before); error != 0) {
    return fail(Error::from_errno(error, "block signals"));
  }
  base::Result<std::thread> thread = fail(Error(ErrorCode::kResource, "start a thread to ask tailscaled"));
  try {
    thread = std::thread(std::move(function));
  } catch (const std::system_error& error) {  // the standard's only way to say it
    thread = fail(Error::from_errno(error.code().value(), "start a thread to ask tailscaled"));
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

ReadSchedule::Limits limits_of(const TailscaledOptions& options) {
  return {.poll = options.poll_interval,
          .settle = options.settle,
          .gap_min = options.read_gap_min,
          .forced_gap_min = options.forced_gap_min};
}

std::string self_text(const model::Tailnet& tailnet) {
  const model::Node& self = tailnet.self;
  return self.name.empty() ? self.id : fmt::format("{} ({})", self.id, self.name);
}

/// What failed, and how it goes on; an error's text ends with a full stop where it has a remedy.
std::string sentences(std::string_view what, std::string_view how) {
  return fmt::format("{}{} {}", what, what.ends_with('.') ? "" : ".", how);
}

/// None where they cannot be listed: then tailscaled's ports are not known, nothing worse.
LocalAddresses local_addresses() { return read_local_addresses().value_or(LocalAddresses{}); }

}  // namespace

base::Result<std::unique_ptr<TailscaledSource>> TailscaledSource::start(TailscaledOptions options) {
  auto api = LocalApi::open({.socket = options.socket,
                             .connect_timeout = options.connect_timeout,
                             .answer_timeout = options.answer_timeout,
                             .answer_bytes_max = options.answer_bytes_max});
  if (!api) return fail(std::move(api.error()));
  base::UniqueFd event_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event_fd.valid()) return fail(Error::from_errno(errno, "make a descriptor for events"));
  std::unique_ptr<TailscaledSource> source(
      new TailscaledSource(std::move(options), std::move(*api), std::move(event_fd)));
  auto thread = start_thread([to = source.get()] { to->run(); });
  if (!thread) return fail(std::move(thread.error()));
  source->thread_ = std::move(*thread);
  return source;
}

TailscaledSource::TailscaledSource(TailscaledOptions options, LocalApi api, base::UniqueFd event_fd)
    : options_(std::move(options)),
      event_fd_(std::move(event_fd)),
      api_(std::move(api)),
      bus_backoff_(seed()),
      schedule_(limits_of(options_), seed()),
      snapshot_{.nodes = model::NodeMap::make({}), .read_boot_ns = 0} {}

TailscaledSource::~TailscaledSource() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  api_.wake();
  if (thread_.joinable()) thread_.join();
}

// ---- for the others

Snapshot TailscaledSource::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

Status TailscaledSource::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

std::vector<Event> TailscaledSource::take_events() {
  // First, so that what comes meanwhile is at worst announced twice. EAGAIN: there was none.
  std::uint64_t count = 0;
  static_cast<void>(::read(event_fd_.get(), &count, sizeof(count)));
  const std::lock_guard lock(mutex_);
  return std::exchange(events_, {});
}

bool TailscaledSource::refresh(std::chrono::milliseconds wait) {
  const Clock::time_point now = Clock::now();
  std::unique_lock lock(mutex_);
  const std::uint64_t ticket = ++tickets_;
  ++status_.forced_refreshes;
  const Clock::time_point begins = schedule_.force(now);
  api_.wake();
  if (begins > now + wait) return false;
  read_ended_.wait_until(lock, now + wait, [&] { return ended_for_ >= ticket; });
  return read_for_ >= ticket;
}

// ---- the thread

void TailscaledSource::run() {
  while (true) {
    Clock::time_point next;
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return;
      next = schedule_.due();
    }
    const Clock::time_point now = Clock::now();
    if (step_ == Step::kIdle && next <= now) begin_read();
    // The bus is opened between reads and only where one went well: its mask depends on the version.
    const bool want_bus = !api_.watching() && !read_.backend_state.empty() && condition_ != Condition::kAway;
    if (want_bus && bus_due_ <= now) {
      api_.watch(bus_patches_refused_ ? kBusMaskRateLimited : bus_mask(read_.version));
    }
    Clock::duration wait = kWaitMax;
    if (step_ == Step::kIdle) wait = std::min(wait, next - std::min(now, next));
    if (want_bus && bus_due_ > now) wait = std::min(wait, bus_due_ - now);
    LocalApi::Turn turn = api_.wait(std::chrono::ceil<std::chrono::milliseconds>(wait));
    look_at_bus(turn);
    if (turn.answer) take_answer(std::move(*turn.answer));
  }
}

void TailscaledSource::look_at_bus(const LocalApi::Turn& turn) {
  const Clock::time_point now = Clock::now();
  const std::lock_guard lock(mutex_);
  status_.bus_messages += turn.messages;
  if (turn.messages > 0) {
    status_.bus_open = true;
    bus_backoff_.reset();
  }
  if (turn.changed) schedule_.changed(now);
  if (!turn.bus_ended) return;
  status_.bus_open = false;
  bus_due_ = now + bus_backoff_.next();
  if (turn.bus_ended->http_status == 400) bus_patches_refused_ = true;
  if (turn.bus_ended->http_status != 200) return;  // refused: the poll is left
  schedule_.changed(now);                          // its end may be that of tailscaled
  socket_mark_.reset();
}

void TailscaledSource::begin_read() {
  const std::lock_guard lock(mutex_);
  schedule_.began(Clock::now());
  read_forced_ = tickets_ != read_ticket_;
  read_ticket_ = tickets_;
  read_published_ = false;
  read_boot_ns_ = base::now().boot_ns;
  step_ = Step::kStatus;
  api_.get("status");
}

void TailscaledSource::take_answer(Answer answer) {
  switch (std::exchange(step_, Step::kIdle)) {
    case Step::kStatus: return take_status(std::move(answer));
    case Step::kPrefs: return take_prefs(std::move(answer));
    case Step::kSocketMark: return take_socket_mark(answer);
    case Step::kWhois: return take_whois(std::move(answer));
    case Step::kIdle: return;
  }
}

void TailscaledSource::take_status(Answer answer) {
  if (!answer.body)
    return fail_read(answer.reached ? Condition::kBad : Condition::kAway, answer.body.error());
  auto parsed = parse_status(*answer.body, local_addresses());
  if (!parsed) return fail_read(Condition::kBad, parsed.error());
  if (parsed->version != read_.version) bus_patches_refused_ = false;
  read_ = std::move(*parsed);
  prefs_fault_.clear();
  step_ = Step::kPrefs;
  api_.get("prefs");
}

void TailscaledSource::take_prefs(Answer answer) {
  if (!answer.body && !answer.reached) return fail_read(Condition::kAway, answer.body.error());
  auto parsed = answer.body ? parse_prefs(*answer.body) : fail(std::move(answer.body.error()));
  if (parsed)
    prefs_ = std::move(*parsed);
  else
    prefs_fault_ = parsed.error().text();
  if (socket_mark_) return ask_whois();
  step_ = Step::kSocketMark;
  api_.get("check-so-mark-in-use");
}

/// Before 1.92 there is no such question; tailscaled marked its sockets where it could.
void TailscaledSource::take_socket_mark(const Answer& answer) {
  if (!answer.body && !answer.reached) return fail_read(Condition::kAway, answer.body.error());
  socket_mark_ = answer.body ? parse_socket_mark(*answer.body).value_or(true) : true;
  ask_whois();
}

/// Of whom more endpoints may be known than `status` tells.
void TailscaledSource::ask_whois() {
  whois_ = peer_endpoints_.questions(read_, read_boot_ns_, read_forced_);
  std::ranges::reverse(whois_);
  if (whois_.empty()) return finish_read();
  step_ = Step::kWhois;
  api_.get(whois_.back().name);
}

/// An answer of no use is as good as none: the endpoint that `status` tells is left.
void TailscaledSource::take_whois(Answer answer) {
  auto endpoints = answer.body ? parse_whois_endpoints(*answer.body) : fail(std::move(answer.body.error()));
  peer_endpoints_.learn(whois_.back().node_id, std::move(endpoints).value_or(std::vector<model::Endpoint>{}),
                        read_boot_ns_);
  whois_.pop_back();
  if (whois_.empty() || !answer.reached) return finish_read();
  step_ = Step::kWhois;
  api_.get(whois_.back().name);
}

void TailscaledSource::finish_read() {
  read_.tailnet.prefs = prefs_;
  read_.tailnet.uses_socket_mark = socket_mark_.value_or(true);
  memory_.learn(read_.active_paths, read_boot_ns_);
  memory_.apply(read_.tailnet);
  peer_endpoints_.apply(read_.tailnet);
  const bool first = snapshot_.read_boot_ns == 0;  // written by this thread only
  const bool knows_self = !read_.tailnet.self.id.empty() && !read_.tailnet.self.addresses.empty();
  const std::string who = self_text(read_.tailnet);
  const std::size_t peers = read_.tailnet.peers.size();
  if (read_.running() || (first && knows_self)) publish();
  if (!read_.running()) {
    say_condition(Condition::kNotRunning, read_.backend_state,
                  fmt::format("tailscaled is not running as a node: its state is {}. {}", read_.backend_state,
                              age_text()));
  } else if (!prefs_fault_.empty()) {
    say_condition(Condition::kBad, prefs_fault_,
                  sentences(prefs_fault_, prefs_ ? "The last known preferences hold"
                                                 : "Traffic is classified by address ranges"));
  } else {
    say_condition(
        Condition::kGood, "",
        fmt::format("tailscaled {} at {} answers: this is {}, with {} peer{}{}", read_.version,
                    options_.socket, who, peers, peers == 1 ? "" : "s",
                    read_.has_tun ? "" : "; it runs without a TUN, so no packet passes its device"));
  }
  end_read(true);
}

void TailscaledSource::fail_read(Condition condition, const base::Error& error) {
  socket_mark_.reset();
  const std::string why = error.text();
  say_condition(condition, why, sentences(why, age_text()));
  {
    const std::lock_guard lock(mutex_);
    status_.last_error = why;
  }
  end_read(false);
}

void TailscaledSource::end_read(bool ok) {
  const bool folder_removed = !ok && socket_folder_removed(options_.socket);
  const std::lock_guard lock(mutex_);
  status_.folder_removed = folder_removed;
  schedule_.ended(Clock::now(), ok);
  status_.reachable = condition_ != Condition::kAway;
  ++(ok ? status_.reads : status_.failures);
  if (ok) {
    if (!prefs_fault_.empty()) status_.last_error = prefs_fault_;
    status_.backend_state = read_.backend_state;
    status_.version = read_.version;
    status_.has_tun = read_.has_tun;
    status_.peers_left_out = read_.peers_left_out;
  }
  status_.remembered_endpoints = memory_.size();
  hand_over_events();
  ended_for_ = read_ticket_;
  if (read_published_) read_for_ = read_ticket_;
  read_ended_.notify_all();
}

void TailscaledSource::publish() {
  const Snapshot before = snapshot_;  // written by this thread only
  std::shared_ptr<const model::NodeMap> nodes = before.nodes;
  if (!(nodes->tailnet() == read_.tailnet)) nodes = model::NodeMap::make(std::move(read_.tailnet));
  {
    const std::lock_guard lock(mutex_);
    snapshot_ = {.nodes = nodes, .read_boot_ns = read_boot_ns_};
  }
  read_published_ = true;
  if (before.read_boot_ns != 0) say_self(before.nodes->tailnet(), nodes->tailnet());
}

void TailscaledSource::say_self(const model::Tailnet& before, const model::Tailnet& after) {
  const auto facts = [](const model::Tailnet& tailnet) {
    const model::Node& self = tailnet.self;
    return std::tie(self.id, self.name, self.user, self.tags, self.addresses, tailnet.udp_ports);
  };
  if (facts(before) == facts(after)) return;
  std::string text = fmt::format("this node is now {}", self_text(after));
  if (before.self.addresses != after.self.addresses) text += ", at other addresses";
  if (before.udp_ports != after.udp_ports) {
    text += after.udp_ports.empty() ? ", its UDP port unknown"
                                    : fmt::format(", its UDP port {}", fmt::join(after.udp_ports, " and "));
  }
  said_.push_back({.kind = Event::Kind::kSelfChanged, .text = std::move(text)});
}

void TailscaledSource::say_condition(Condition condition, const std::string& why, const std::string& text) {
  if (condition == condition_ && why == condition_why_) return;
  condition_ = condition;
  condition_why_ = why;
  const Event::Kind kind = condition == Condition::kGood  ? Event::Kind::kReached
                           : condition == Condition::kBad ? Event::Kind::kBadAnswer
                                                          : Event::Kind::kLost;
  said_.push_back({.kind = kind, .text = text});
}

std::string TailscaledSource::age_text() const {
  const std::int64_t read_ns = snapshot_.read_boot_ns;  // written by this thread only
  if (read_ns == 0) return "No node is known yet";
  return fmt::format("The nodes of {} s ago go on serving", (base::now().boot_ns - read_ns) / 1'000'000'000);
}

void TailscaledSource::hand_over_events() {
  if (said_.empty()) return;
  for (Event& event : said_) {
    if (events_.size() >= kEventsMax) {
      events_.erase(events_.begin());
      ++status_.events_lost;
    }
    events_.push_back(std::move(event));
  }
  said_.clear();
  const std::uint64_t one = 1;
  static_cast<void>(::write(event_fd_.get(), &one, sizeof(one)));  // EAGAIN: it is readable already
}

}  // namespace flowtally::identity
