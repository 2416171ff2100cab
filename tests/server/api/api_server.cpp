// This file is a program with nothing in it but the API, over a journal that it fills first. A process of its
// own, so that its memory can be measured, its rights and sockets be set up from outside, and clients written
// in other languages use it. It prints `ready`, and its addresses, and ends when its stdin does.
//   api_server DIRECTORY SOCKET RECORDS FLOWS [systemd | TCP-ADDRESS TOKEN-FILE]
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "api/server.hpp"
#include "server/api/fake_control.hpp"
#include "server/api/fake_source.hpp"

namespace {

int serve(const std::vector<std::string>& arguments) {
  using namespace flowtally;
  test::FakeSource source(arguments[1]);
  const auto wanted = std::strtoull(arguments[3].c_str(), nullptr, 10);
  const auto flows = std::strtoull(arguments[4].c_str(), nullptr, 10);
  if (wanted > source.records()) source.append(wanted - source.records(), flows);
  source.seal_all();

  api::ServerOptions options{.socket_path = arguments[2]};
  options.systemd_sockets = arguments.size() > 5 && arguments[5] == "systemd";
  if (arguments.size() > 6) {
    options.tcp_address = arguments[5];
    options.token_file = arguments[6];
  }
  test::FakeControl control;
  const auto server = api::Server::start(options, source, &control);
  if (!server) throw std::runtime_error(server.error().text());
  fmt::print("ready {}\n", fmt::join((*server)->addresses(), " "));
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) source.append(1, flows);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fputs("api_server DIRECTORY SOCKET RECORDS FLOWS [systemd | TCP-ADDRESS TOKEN-FILE]\n", stderr);
    return 2;
  }
  try {
    return serve({argv, argv + argc});
  } catch (const std::exception& error) {
    fmt::print(stderr, "api_server: {}\n", error.what());
    return 1;
  }
}
