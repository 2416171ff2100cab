#include "api/token.hpp"

#include <cstdio>
#include <filesystem>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include "support/catch.hpp"

namespace flowtally::test {
namespace {

constexpr const char* kToken = "0123456789abcdef-secret";

/// A file with this text and mode, removed in the end.
class SecretFile {
 public:
  SecretFile(const std::string& text, mode_t mode) {
    const int fd = ::mkstemp(path_.data());
    REQUIRE(fd >= 0);
    REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    REQUIRE(::fchmod(fd, mode) == 0);
    ::close(fd);
  }
  SecretFile(const SecretFile&) = delete;
  SecretFile& operator=(const SecretFile&) = delete;
  ~SecretFile() { ::unlink(path_.c_str()); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "flowtally-token-XXXXXX").string();
};

}  // namespace

TEST_CASE("a token is taken as Bearer, and as the user of Basic with any password", "[unit]") {
  const SecretFile file(std::string(kToken) + "\n", 0600);
  const auto token = api::Token::load(file.path());
  REQUIRE(token.has_value());
  CHECK(token->allows(std::string("Bearer ") + kToken));
  CHECK(token->allows(std::string("bearer  ") + kToken));
  CHECK(token->allows("Basic MDEyMzQ1Njc4OWFiY2RlZi1zZWNyZXQ6"));              // TOKEN:
  CHECK(token->allows("Basic MDEyMzQ1Njc4OWFiY2RlZi1zZWNyZXQ6cGFzc3dvcmQ="));  // TOKEN:password
}

TEST_CASE("anything else is not allowed", "[unit]") {
  const SecretFile file(kToken, 0600);
  const auto token = api::Token::load(file.path());
  REQUIRE(token.has_value());
  for (const char* const text :
       {"", "Bearer", "Bearer ", "Bearer 0123456789abcdef-secreT", "Bearer 0123456789abcdef-secret2",
        "Bearer 0123456789abcdef-secre", "Bearer0123456789abcdef-secret", "0123456789abcdef-secret", "Basic ",
        "Basic Og==", "Basic !!!!", "Digest 0123456789abcdef-secret",
        "Bearer 0123456789abcdef-secret0123456789abcdef-secret"}) {
    CAPTURE(text);
    CHECK_FALSE(token->allows(text));
  }
}

TEST_CASE("a token file that others may read, or that holds no token, is refused", "[unit]") {
  CHECK(api::Token::load("/does/not/exist").error().code() == base::ErrorCode::kNotFound);
  CHECK(api::Token::load("/dev/null").error().code() == base::ErrorCode::kInvalidArgument);
  const SecretFile readable(kToken, 0644);
  const auto refused = api::Token::load(readable.path());
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code() == base::ErrorCode::kPermission);
  CHECK_THAT(refused.error().text(), Catch::Matchers::ContainsSubstring("chmod"));
  CHECK_THAT(refused.error().text(), !Catch::Matchers::ContainsSubstring(kToken));
  for (const std::string& text :
       {std::string(), std::string("short\n"), std::string("two\nlines of text in it\n"),
        std::string(600, 'a'), std::string("0123456789abcdef:secret")}) {
    const SecretFile file(text, 0600);
    CHECK(api::Token::load(file.path()).error().code() == base::ErrorCode::kInvalidArgument);
  }
  const SecretFile group(kToken, 0640);
  CHECK(api::Token::load(group.path()).has_value());
}

TEST_CASE("base64 is decoded strictly", "[unit]") {
  CHECK(api::decode_base64("YQ==") == "a");
  CHECK(api::decode_base64("YWI=") == "ab");
  CHECK(api::decode_base64("YWJj") == "abc");
  for (const char* const text : {"", "Y", "YQ", "YQ=", "YQ=a", "=YQ=", "Y Q="})
    CHECK(api::decode_base64(text).empty());
}

}  // namespace flowtally::test
