#include "app/service_manager.hpp"

#include <cstdint>

#include <systemd/sd-daemon.h>

namespace flowtally::app {

ServiceManager::ServiceManager() {
  std::uint64_t limit_us = 0;
  if (::sd_watchdog_enabled(0, &limit_us) > 0)
    alive_every_ =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::microseconds(limit_us / 4));
}

void ServiceManager::ready() const { ::sd_notify(0, "READY=1"); }

void ServiceManager::stopping() const { ::sd_notify(0, "STOPPING=1"); }

void ServiceManager::alive() {
  if (alive_every_.count() == 0) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - told_ < alive_every_) return;
  told_ = now;
  ::sd_notify(0, "WATCHDOG=1");
}

}  // namespace flowtally::app
