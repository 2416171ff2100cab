// Goal: signatures are AWS's. The numbers are those of AWS's own documents: the examples of "Authenticating
// Requests: Using the Authorization Header" for S3, and of the Signature Version 4 test suite.
#include "sink/sigv4.hpp"

#include <algorithm>

#include "support/catch.hpp"

namespace flowtally::sink {
namespace {

constexpr std::int64_t kS3Time = 1'369'353'600;     // 20130524T000000Z
constexpr std::int64_t kSuiteTime = 1'440'938'160;  // 20150830T123600Z
const std::string kEmpty = sha256_hex("");

SigningKeys s3_keys() {
  return {.access_key = "AKIAIOSFODNN7EXAMPLE",
          .secret_key = model::Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
          .region = "us-east-1"};
}

SigningKeys suite_keys() {
  return {.access_key = "AKIDEXAMPLE",
          .secret_key = model::Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
          .region = "us-east-1",
          .service = "service"};
}

std::string field(const std::vector<std::pair<std::string, std::string>>& fields, std::string_view name) {
  const auto found = std::ranges::find(fields, name, &std::pair<std::string, std::string>::first);
  return found == fields.end() ? "" : found->second;
}

std::string signature(const RequestToSign& request, const SigningKeys& keys, std::int64_t time) {
  const std::string text = field(sign(request, keys, time), "authorization");
  return text.substr(text.rfind('=') + 1);
}

}  // namespace

TEST_CASE("S3's worked examples have S3's signatures") {
  const std::string host = "examplebucket.s3.amazonaws.com";
  CHECK(signature({.method = "GET",
                   .host = host,
                   .path = "/test.txt",
                   .headers = {{"Range", "bytes=0-9"}},
                   .payload_hash = kEmpty},
                  s3_keys(), kS3Time) == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  CHECK(signature({.method = "PUT",
                   .host = host,
                   .path = uri_encoded("/test$file.text", true),
                   .headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                               {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                   .payload_hash = sha256_hex("Welcome to Amazon S3.")},
                  s3_keys(), kS3Time) == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  CHECK(signature({.method = "GET", .host = host, .query = {{"lifecycle", ""}}, .payload_hash = kEmpty},
                  s3_keys(), kS3Time) == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  CHECK(signature({.method = "GET",
                   .host = host,
                   .query = {{"prefix", "J"}, {"max-keys", "2"}},
                   .payload_hash = kEmpty},
                  s3_keys(), kS3Time) == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST_CASE("the test suite's requests have the suite's signatures") {
  const std::string host = "example.amazonaws.com";
  CHECK(signature({.method = "GET", .host = host, .payload_hash = kEmpty}, suite_keys(), kSuiteTime) ==
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  CHECK(signature({.method = "POST", .host = host, .payload_hash = kEmpty}, suite_keys(), kSuiteTime) ==
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
  CHECK(signature({.method = "GET",
                   .host = host,
                   .query = {{"Param2", "value2"}, {"Param1", "value1"}},
                   .payload_hash = kEmpty},
                  suite_keys(),
                  kSuiteTime) == "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

TEST_CASE("the header of a signature is what S3 wants to read") {
  const auto fields = sign({.method = "GET",
                            .host = "examplebucket.s3.amazonaws.com",
                            .path = "/test.txt",
                            .headers = {{"Range", "bytes=0-9"}},
                            .payload_hash = kEmpty},
                           s3_keys(), kS3Time);
  CHECK(field(fields, "x-amz-date") == "20130524T000000Z");
  CHECK(field(fields, "x-amz-content-sha256") ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(field(fields, "authorization") ==
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST_CASE("a session's token is sent and signed") {
  SigningKeys keys = s3_keys();
  keys.session_token = model::Secret("session/token==");
  const auto fields = sign({.host = "h", .payload_hash = kEmpty}, keys, kS3Time);
  CHECK(field(fields, "x-amz-security-token") == "session/token==");
  CHECK(field(fields, "authorization").find("x-amz-date;x-amz-security-token") != std::string::npos);
}

TEST_CASE("the secret key is in nothing that is sent") {
  for (const auto& [name, value] : sign({.host = "h", .payload_hash = kEmpty}, s3_keys(), kS3Time))
    CHECK(value.find("wJalrXUtnFEMI") == std::string::npos);
}

TEST_CASE("spaces in values are signed as one") {
  const RequestToSign one{.host = "h", .headers = {{"my-header", "a b c"}}, .payload_hash = kEmpty};
  const RequestToSign many{.host = "h", .headers = {{"My-Header", "  a   b   c "}}, .payload_hash = kEmpty};
  CHECK(signature(one, suite_keys(), kSuiteTime) == signature(many, suite_keys(), kSuiteTime));
}

TEST_CASE("what URIs may not have is encoded, byte by byte") {
  CHECK(uri_encoded("a/b c~d_e.f-g", true) == "a/b%20c~d_e.f-g");
  CHECK(uri_encoded("a/b", false) == "a%2Fb");
  CHECK(uri_encoded("\xc3\xa4=&+", false) == "%C3%A4%3D%26%2B");
}

}  // namespace flowtally::sink
