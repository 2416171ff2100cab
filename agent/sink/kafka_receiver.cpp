#include "sink/kafka_receiver.hpp"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include "sink/kafka_module.hpp"

namespace flowtally::sink {
namespace {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr const char* kInstalledModules = "/usr/lib/flowtally";

std::string last_failure() {
  const char* const text = ::dlerror();
  return text != nullptr ? text : "no reason given";
}

/// The module's function. It stays loaded: librdkafka's threads and OpenSSL's would outlive an unloading.
Result<KafkaModuleMake*> load(const std::string& path) {
  void* const module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (module == nullptr)
    return fail(Error(ErrorCode::kUnsupported, fmt::format("load the Kafka module: {}", last_failure()))
                    .advise("Install librdkafka1, which it needs"));
  void* const found = ::dlsym(module, kKafkaModuleFunction);
  ::dlclose(module);
  if (found == nullptr)
    return fail(
        Error(ErrorCode::kUnsupported, fmt::format("{} is no Kafka module: {}", path, last_failure())));
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): POSIX gives functions as void*
  return reinterpret_cast<KafkaModuleMake*>(found);
}

}  // namespace

std::vector<std::string> module_directories() {
  if (const char* const set = std::getenv("FLOWTALLY_MODULES"); set != nullptr) return {set};
  std::vector<std::string> directories;
  std::error_code failed;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (!failed) directories.push_back(program.parent_path().string());
  directories.emplace_back(kInstalledModules);
  return directories;
}

Result<std::unique_ptr<Receiver>> make_kafka_receiver(const model::SinkSettings& settings,
                                                      model::LogType log_type,
                                                      const std::vector<std::string>& directories) {
  std::string path;
  for (const std::string& directory : directories) {
    path = fmt::format("{}/{}", directory, kKafkaModuleFile);
    if (::access(path.c_str(), R_OK) == 0) break;
    path.clear();
  }
  if (path.empty())
    return fail(Error(ErrorCode::kUnsupported,
                      fmt::format("sinks of kind kafka need the module {}, which is not in {}",
                                  kKafkaModuleFile, fmt::join(directories, " or ")))
                    .advise("Install the package flowtally-kafka"));
  const auto make = load(path);
  if (!make) return fail(Error(make.error()));

  const std::string word = module_build_word();
  const KafkaModuleRequest request{.settings = &settings, .log_type = log_type, .item_id = &item_id};
  KafkaModuleAnswer answer;
  if (const char* const other = (*make)(word.c_str(), &request, &answer); other != nullptr)
    return fail(Error(ErrorCode::kUnsupported,
                      fmt::format("{} is of another build: \"{}\" instead of \"{}\"", path, other, word))
                    .advise("Install flowtally and flowtally-kafka of the same version"));
  if (!answer.receiver) return fail(Error(answer.code, std::move(answer.failure)));
  return std::move(answer.receiver);
}

}  // namespace flowtally::sink
