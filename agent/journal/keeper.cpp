#include "journal/keeper.hpp"

#include <csignal>
#include <exception>
#include <system_error>
#include <utility>

#include <sys/resource.h>
#include <unistd.h>

namespace flowtally::journal {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

namespace {

/// A thread that is made meanwhile takes no signals: they are for those who wait for them.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

/// Of this thread alone: on Linux the nice value, and the disk priority that follows from it, are a thread's.
void be_nice() noexcept {
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kKeeperNice));
}

}  // namespace

JournalKeeper::JournalKeeper(Journal& journal, KeeperOptions options)
    : journal_(journal), options_(std::move(options)) {}

Result<std::unique_ptr<JournalKeeper>> JournalKeeper::start(Journal& journal, KeeperOptions options) {
  std::unique_ptr<JournalKeeper> keeper(new JournalKeeper(journal, std::move(options)));
  const SignalsBlocked blocked;
  try {
    keeper->thread_ = std::jthread([self = keeper.get()](const std::stop_token& stop) { self->run(stop); });
  } catch (const std::system_error& error) {  // the standard's only way to say it
    return fail(Error::from_errno(error.code().value(), "start a thread to keep the journal"));
  }
  return keeper;
}

JournalKeeper::~JournalKeeper() = default;

void JournalKeeper::poke() {
  {
    const std::lock_guard guard(mutex_);
    poked_ = true;
  }
  told_.notify_one();
}

KeeperState JournalKeeper::state() const {
  const std::lock_guard guard(mutex_);
  return state_;
}

void JournalKeeper::run(const std::stop_token& stop) noexcept {
  be_nice();
  while (!stop.stop_requested()) {
    Status outcome;
    try {
      outcome = round(stop);
    } catch (const std::exception& error) {  // no memory, or whoever finds the terms of a line
      outcome = fail(Error(ErrorCode::kResource, error.what()).during("keep the journal"));
    }
    note(outcome);
    if (options_.after_round) options_.after_round(state());
    wait(stop, !outcome);
  }
}

/// Retention comes second, because sealing may be all that it takes, and also where sealing failed, because
/// then it may be what makes room.
Status JournalKeeper::round(const std::stop_token& stop) {
  Status sealed = seal_all(stop);
  if (stop.stop_requested()) return sealed;
  const Removed before = journal_.state().removed;
  const auto retained = journal_.retain();
  const Removed after = journal_.state().removed;  // also where it failed half way
  {
    const std::lock_guard guard(mutex_);
    state_.removed.records += after.records - before.records;
    state_.removed.bytes += after.bytes - before.bytes;
    state_.removed.segments += after.segments - before.segments;
    if (after.segments > before.segments) state_.removed.below = after.below;
  }
  if (!sealed || retained) return sealed;
  return fail(retained.error());
}

Status JournalKeeper::seal_all(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto sealed = journal_.seal_one(stop);
    if (!sealed) return fail(sealed.error());
    if (!*sealed) return {};
    const std::lock_guard guard(mutex_);
    ++state_.sealed;
    state_.sealed_raw_bytes += (*sealed)->trailer.raw_bytes;
    state_.sealed_bytes += (*sealed)->bytes;
    state_.lost_records += (*sealed)->lost;
  }
  return {};
}

void JournalKeeper::note(const Status& outcome) {
  const std::lock_guard guard(mutex_);
  ++state_.rounds;
  if (outcome) {
    state_.failing_since.reset();
    state_.failure.clear();
    return;
  }
  ++state_.failures;
  if (!state_.failing_since) state_.failing_since = base::now();
  state_.failure = outcome.error().text();
}

void JournalKeeper::wait(const std::stop_token& stop, bool failed) {
  std::unique_lock lock(mutex_);
  told_.wait_for(lock, stop, options_.interval, [&] { return poked_ && !failed; });
  poked_ = false;
}

}  // namespace flowtally::journal
