// This file is a program with nothing in it but the API, over a journal that it fills first. A process of its
// own, so that its memory can be measured, its rights and sockets be set up from outside, and clients written
// in other languages use it. It prints `ready`, and its addresses, and ends when its stdin does.
//   api_server DIRECTORY SOCKET RECORDS FLOWS [systemd] [TCP-ADDRESS TOKEN-FILE]
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "api/server.hpp"
#include "server/api/fake_source.hpp"

int main(int argc, char** argv) {
  using namespace flowtally;
  const std::vector<std::string> arguments(argv, argv + argc);
  if (argc < 5) {
    std::fputs("api_server DIRECTORY SOCKET RECORDS FLOWS [systemd] [TCP-ADDRESS TOKEN-FILE]\n", stderr);
    return 2;
  }
  test::FakeSource source(arguments[1]);
  const auto wanted = std::strtoull(arguments[3].c_str(), nullptr, 10);
  const auto flows = std::strtoull(arguments[4].c_str(), nullptr, 10);
  if (wanted > source.records()) source.append(wanted - source.records(), flows);
  source.seal_all();

  api::ServerOptions options{.socket_path = arguments[2]};
  if (argc > 5 && arguments[5] == "systemd") options.systemd_sockets = true;
  if (argc > 6 && arguments[5] != "systemd") {
    options.tcp_address = arguments[5];
    options.token_file = arguments[6];
  }
  auto server = api::Server::start(std::move(options), source);
  if (!server) {
    fmt::print(stderr, "{}\n", server.error().text());
    return 1;
  }
  fmt::print("ready {}\n", fmt::join((*server)->addresses(), " "));
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
    // A byte is a record more.
    source.append(1, flows);
  }
  return 0;
}
