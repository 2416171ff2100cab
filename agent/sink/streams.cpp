#include "sink/streams.hpp"

#include <algorithm>

#include "base/clock.hpp"
#include "journal/cursor_store.hpp"
#include "sink/receiver.hpp"

namespace flowtally::sink {

Streams::Running Streams::begin(const model::SinkSettings& settings, model::LogType log_type) {
  Running running{.settings = settings};
  const auto failed = [&](const base::Error& error) {
    running.failed = {.sink = settings.name,
                      .kind = std::string(model::kind_of(settings.receiver)),
                      .log_type = log_type,
                      .state = model::SinkState::kMisconfigured,
                      .failing_since = base::now(),
                      .failure = error.text()};
    if (options_.changed) options_.changed(running.failed);
  };
  auto receiver = make_receiver(settings, log_type);
  if (!receiver) {
    failed(receiver.error());
    return running;
  }
  auto stream = Stream::start({.settings = settings,
                               .log_type = log_type,
                               .journal_directory = options_.journal(log_type),
                               .state_dir = options_.state_dir,
                               .changed = options_.changed},
                              std::move(*receiver));
  if (stream) {
    running.stream = std::move(*stream);
  } else {
    failed(stream.error());
  }
  return running;
}

void Streams::apply(const std::vector<model::SinkSettings>& sinks) {
  const std::scoped_lock one(applying_);
  std::map<Key, const model::SinkSettings*> wanted;
  for (const model::SinkSettings& sink : sinks) {
    if (!sink.enabled) continue;
    for (const model::LogType log_type : sink.logs) {
      if (!options_.journal(log_type).empty()) wanted.emplace(Key{sink.name, log_type}, &sink);
    }
  }
  std::vector<Running> ending;
  {
    const std::scoped_lock lock(mutex_);
    for (auto it = running_.begin(); it != running_.end();) {
      const auto still = wanted.find(it->first);
      if (still != wanted.end() && it->second.stream && it->second.settings == *still->second) {
        wanted.erase(still);
        ++it;
      } else {
        ending.push_back(std::move(it->second));
        it = running_.erase(it);
      }
    }
  }
  ending.clear();  // waits for their threads: one cursor has one reader
  for (const auto& [key, settings] : wanted) {
    Running running = begin(*settings, key.second);
    const std::scoped_lock lock(mutex_);
    running_.insert_or_assign(key, std::move(running));
  }
}

std::vector<model::SinkStatus> Streams::status() const {
  const std::scoped_lock lock(mutex_);
  std::vector<model::SinkStatus> all;
  all.reserve(running_.size());
  for (const auto& [key, running] : running_)
    all.push_back(running.stream ? running.stream->status() : running.failed);
  return all;
}

base::Status Streams::forget(const std::string& name) {
  for (const model::LogType log_type : {model::LogType::kNetwork, model::LogType::kConfiguration}) {
    const std::string directory = options_.journal(log_type);
    if (directory.empty()) continue;
    journal::CursorStore cursors(journal::posix_file_system(), directory);
    auto removed = cursors.remove(name);
    if (!removed && removed.error().code() != base::ErrorCode::kNotFound) return removed;
  }
  return {};
}

}  // namespace flowtally::sink
