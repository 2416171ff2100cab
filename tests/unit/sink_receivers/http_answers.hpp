// This file is a receiver that answers what it was told to, one request after another, and keeps what it was
// asked. For rules of answers; what proxies and servers do to connections is tested elsewhere.
#pragma once

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.hpp"

namespace flowtally::test {

struct HeardRequest {
  std::string head{};  ///< request line and headers
  std::string body{};
};

class HttpAnswers {
 public:
  HttpAnswers();
  HttpAnswers(const HttpAnswers&) = delete;
  HttpAnswers& operator=(const HttpAnswers&) = delete;
  ~HttpAnswers();

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  /// What the next request is answered: "204 No Content", with headers on lines behind it, and a body. Only
  /// while no request runs, as heard() too.
  void answer(std::string status, std::string body = "");
  /// The last request; empty before there was one.
  [[nodiscard]] HeardRequest heard() const { return heard_; }

 private:
  void run(const std::stop_token& stop);
  void serve(int fd);

  base::UniqueFd socket_{};
  base::UniqueFd wake_{};
  std::uint16_t port_ = 0;
  std::string status_{"200 OK"};
  std::string body_{};
  HeardRequest heard_{};
  std::jthread thread_{};  // last: it uses the others
};

}  // namespace flowtally::test
