#include "server/servers/server.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <random>

#include <curl/curl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/unique_fd.hpp"
#include "support/catch.hpp"
#include "test_paths.h"

namespace flowtally::test {
namespace {

constexpr int kSkipped = 77;

bool is_free(std::uint16_t port) {
  const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int yes = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{.sin_family = AF_INET,
                      .sin_port = ::htons(port),
                      .sin_addr = {.s_addr = ::htonl(INADDR_LOOPBACK)},
                      .sin_zero = {}};
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
  return ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

/// One that is free, with the next one, below those that the kernel gives to anybody.
std::uint16_t free_port() {
  constexpr int kLowest = 20'000;
  constexpr int kHighest = 32'000;
  std::random_device random;
  for (int tries = 0; tries < 1000; ++tries) {
    const auto port = static_cast<std::uint16_t>(std::uniform_int_distribution(kLowest, kHighest)(random));
    if (is_free(port) && is_free(static_cast<std::uint16_t>(port + 1))) return port;
  }
  return 0;
}

struct Ran {
  int status = -1;
  std::string output{};
};

Ran run(const std::string& command) {
  Ran ran;
  std::FILE* const pipe = ::popen(command.c_str(), "r");  // NOLINT(cert-env33-c): the project's own script
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> bytes{};
  for (std::size_t got = 0; (got = std::fread(bytes.data(), 1, bytes.size(), pipe)) > 0;)
    ran.output.append(bytes.data(), got);
  const int status = ::pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

std::size_t take(char* data, std::size_t, std::size_t bytes, void* to) {
  static_cast<std::string*>(to)->append(data, bytes);
  return bytes;
}

}  // namespace

Server::Server(const std::string& name) : name_(name), port_(free_port()) {
  REQUIRE(port_ != 0);
  std::string made = (std::filesystem::temp_directory_path() / "flowtally-server-XXXXXX").string();
  REQUIRE(::mkdtemp(made.data()) != nullptr);
  directory_ = made;
  // Some servers refuse to be root, and have to get in.
  std::filesystem::permissions(directory_, std::filesystem::perms(0755));
  start();
}

Server::~Server() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string Server::url(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", port_, path);
}

void Server::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  pid_ = -1;
  // It is no child of ours: its port tells when it has gone.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!is_free(port_) && std::chrono::steady_clock::now() < end) ::poll(nullptr, 0, 10);
}

void Server::start() {
  const Ran ran = run(fmt::format("{}/scripts/servers/{}.sh {} {} {} 2>&1", FLOWTALLY_SOURCE_DIR, name_,
                                  port_, directory_.string(), ::getpid()));
  if (ran.status == kSkipped) {
    std::filesystem::remove_all(directory_);
    std::fputs(ran.output.c_str(), stderr);
    SKIP(ran.output);
  }
  INFO(ran.output);
  REQUIRE(ran.status == 0);
  const std::size_t last = ran.output.rfind(' ');
  REQUIRE(last != std::string::npos);
  pid_ = std::stoi(ran.output.substr(last + 1));
}

WebAnswer ask(const WebQuestion& question) {
  const std::unique_ptr<CURL, void (*)(CURL*)> easy(::curl_easy_init(), ::curl_easy_cleanup);
  REQUIRE(easy);
  curl_slist* headers = nullptr;
  for (const std::string& header : question.headers) headers = ::curl_slist_append(headers, header.c_str());
  const std::unique_ptr<curl_slist, void (*)(curl_slist*)> owner(headers, ::curl_slist_free_all);
  WebAnswer answer;
  ::curl_easy_setopt(easy.get(), CURLOPT_URL, question.url.c_str());
  ::curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
  ::curl_easy_setopt(easy.get(), CURLOPT_NOPROXY, "*");
  ::curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT, 60L);
  ::curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers);
  if (!question.login.empty()) ::curl_easy_setopt(easy.get(), CURLOPT_USERPWD, question.login.c_str());
  if (!question.body.empty()) {
    ::curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDSIZE, static_cast<long>(question.body.size()));
    ::curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDS, question.body.c_str());
  }
  ::curl_easy_setopt(easy.get(), CURLOPT_CUSTOMREQUEST, question.method.c_str());
  ::curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &take);
  ::curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &answer.body);
  const CURLcode code = ::curl_easy_perform(easy.get());
  INFO(question.url << ": " << ::curl_easy_strerror(code));
  REQUIRE(code == CURLE_OK);
  ::curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

}  // namespace flowtally::test
