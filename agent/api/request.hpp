// This file is a request as the routes see it: a plain value, taken apart and checked for form. The target's
// parts are decoded here, not by the HTTP library: what is strict about it is the same for every route.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "base/result.hpp"

namespace flowtally::api {

/// What stands behind the '?', in the order given. A name may come again.
class Parameters {
 public:
  void add(std::string name, std::string value) { all_.emplace_back(std::move(name), std::move(value)); }
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& all() const noexcept { return all_; }
  /// The first of that name.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;

 private:
  std::vector<std::pair<std::string, std::string>> all_;
};

struct Target {
  std::vector<std::string> path{};  ///< "/api/v1/status" is {"api", "v1", "status"}; "/" is empty
  Parameters parameters{};
};

/// Takes an origin-form target ("/a/b?c=d") apart and decodes each part; '+' in a parameter is a space.
/// kInvalidArgument: no leading slash, a '%' that is not followed by two hexadecimal digits, a zero byte.
/// kResource: beyond kTargetBytesMax or kParametersMax.
[[nodiscard]] base::Result<Target> parse_target(std::string_view text);

/// Who asks. On the Unix socket the kernel says so (SO_PEERCRED), as of the moment of the connect.
struct Caller {
  bool local = false;  ///< on the Unix socket; else whoever has the token
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  pid_t pid = 0;
};

struct Request {
  std::string method{};
  Target target{};
  Caller caller{};
  std::string accept{};  ///< headers of these names; empty where they are not there
  std::string accept_encoding{};
  std::string authorization{};
  std::string last_event_id{};
  bool has_body = false;
  std::string body{};  ///< where one belongs to the path
  std::size_t header_bytes = 0;
  /// True once nobody waits for the answer any more, or the server stops: long work looks at it now and
  /// then. May be called until the answer is destroyed.
  std::function<bool()> abandoned = [] { return false; };

  [[nodiscard]] bool head() const noexcept { return method == "HEAD"; }
};

/// Whether a list such as "gzip, deflate;q=0.5" has `word`, with a weight above zero.
[[nodiscard]] bool accepts(std::string_view list, std::string_view word) noexcept;

}  // namespace flowtally::api
