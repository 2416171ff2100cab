// Goal: objects of a store that checks signatures hold what was streamed, and a batch that is sent again
// makes no second object.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>

#include <zlib.h>
#include <zstd.h>

#include "server/servers/delivery.hpp"
#include "server/servers/server.hpp"
#include "sink/receiver.hpp"
#include "sink/s3_receiver.hpp"
#include "support/catch.hpp"
#include "unit/sink_receivers/batches.hpp"

namespace flowtally::test {
namespace {

model::SinkSettings to_bucket(const Server& server, const std::string& prefix,
                              model::Compression compression) {
  model::SinkSettings settings{.name = "s3", .compression = compression};
  settings.receiver = model::S3Settings{.endpoint = server.url(),
                                        .bucket = "flows",
                                        .region = "us-east-1",
                                        .prefix = prefix,
                                        .access_key = "flowtally",
                                        .secret_key = model::Secret("flowtally1")};
  return settings;
}

std::string read_all(const std::filesystem::path& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  REQUIRE(file);
  std::string bytes(std::filesystem::file_size(path), '\0');
  REQUIRE(std::fread(bytes.data(), 1, bytes.size(), file.get()) == bytes.size());
  return bytes;
}

std::string without_gzip(const std::filesystem::path& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(::gzopen(path.c_str(), "rb"), ::gzclose);
  REQUIRE(file);
  std::string text;
  std::string piece(65536, '\0');
  for (int got = 0; (got = ::gzread(file.get(), piece.data(), static_cast<unsigned>(piece.size()))) > 0;)
    text.append(piece, 0, static_cast<std::size_t>(got));
  return text;
}

std::string without_zstd(const std::filesystem::path& path) {
  const std::string bytes = read_all(path);
  std::string text(std::size_t{64} << 20U, '\0');
  const std::size_t size = ::ZSTD_decompress(text.data(), text.size(), bytes.data(), bytes.size());
  REQUIRE(::ZSTD_isError(size) == 0U);
  text.resize(size);
  return text;
}

/// The objects below a prefix by their keys, which are in the order of time.
std::map<std::string, std::string> objects(const Server& server, const std::string& prefix) {
  std::map<std::string, std::string> found;
  const auto bucket = server.directory() / "data" / "flows";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(bucket / prefix)) {
    if (!entry.is_regular_file()) continue;
    const auto& path = entry.path();
    const auto kind = path.extension();
    found[std::filesystem::relative(path, bucket)] = kind == ".gz"    ? without_gzip(path)
                                                     : kind == ".zst" ? without_zstd(path)
                                                                      : read_all(path);
  }
  return found;
}

std::string lines_of(const std::vector<std::string>& texts) {
  std::string lines;
  for (const std::string& text : texts) lines += text + "\n";
  return lines;
}

}  // namespace

TEST_CASE("S3 objects hold what was streamed, however often it was") {
  const Server server("versitygw");
  const auto texts = record_texts(10'000);
  for (const auto compression :
       {model::Compression::kNone, model::Compression::kGzip, model::Compression::kZstd}) {
    const std::string prefix = "all-" + std::to_string(static_cast<int>(compression));
    deliver(to_bucket(server, prefix, compression), texts, 2500);
    const auto found = objects(server, prefix);
    CHECK(found.size() == 4);
    std::string all;
    for (const auto& [key, text] : found) {
      CHECK(key.starts_with(prefix + "/2026/11/22/23/nLab01CNTRL-20261122T2329"));
      all += text;
    }
    CHECK(all == lines_of(texts));
  }

  // A batch of which no answer came is sent again with more behind it: the object is replaced.
  const auto settings = to_bucket(server, "again", model::Compression::kZstd);
  const std::vector<std::string> some(texts.begin(), texts.begin() + 100);
  deliver(settings, some);
  deliver(settings, some);
  CHECK(objects(server, "again").size() == 1);
  const std::vector<std::string> more(texts.begin(), texts.begin() + 300);
  deliver(settings, more);
  const auto found = objects(server, "again");
  REQUIRE(found.size() == 1);
  CHECK(found.begin()->second == lines_of(more));
}

TEST_CASE("an S3 store that refuses us is the configuration's fault, and says why") {
  const Server server("versitygw");
  const auto refused = [&](auto change) {
    model::SinkSettings settings = to_bucket(server, "p", model::Compression::kNone);
    change(std::get<model::S3Settings>(settings.receiver));
    auto receiver = sink::make_receiver(settings, model::LogType::kNetwork);
    REQUIRE(receiver);
    const sink::Outcome outcome = (*receiver)->send(batch_of(record_texts(1)), 0, 1, {});
    CHECK(outcome.verdict == sink::Verdict::kMisconfigured);
    CHECK(outcome.reason.find("flowtally1") == std::string::npos);
    return outcome.reason;
  };
  CHECK(refused([](model::S3Settings& s3) {
          s3.secret_key = model::Secret("wrong");
        }).find("SignatureDoesNotMatch") != std::string::npos);
  CHECK(refused([](model::S3Settings& s3) { s3.access_key = "nobody"; }).find("access key") !=
        std::string::npos);
  CHECK(refused([](model::S3Settings& s3) { s3.bucket = "nowhere"; }).find("NoSuchBucket") !=
        std::string::npos);
  CHECK(refused([](model::S3Settings& s3) { s3.region = "eu-west-9"; }).find("region") != std::string::npos);
}

TEST_CASE("keys with all that a name may have are signed as the store signs them") {
  const Server server("versitygw");
  deliver(to_bucket(server, "a b+c=d~e/\xc3\xa4%20", model::Compression::kNone), record_texts(3));
  CHECK(objects(server, "a b+c=d~e").begin()->second == lines_of(record_texts(3)));
}

}  // namespace flowtally::test
