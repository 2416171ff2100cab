#include "server/servers/elastic_documents.hpp"

#include <simdjson.h>

#include "support/catch.hpp"

namespace flowtally::test {

Items documents(const Server& server, const std::string& index, const std::string& login) {
  static_cast<void>(ask({.url = server.url("/" + index + "/_refresh"), .method = "POST", .login = login}));
  const WebAnswer answer = ask({.url = server.url("/" + index + "/_search?size=10000"), .login = login});
  INFO(answer.body.substr(0, 1000));
  REQUIRE(answer.status == 200);
  Items found;
  simdjson::dom::parser parser;
  const simdjson::dom::element document = parser.parse(answer.body);
  const simdjson::dom::array hits = document["hits"]["hits"].get_array().value();
  for (const simdjson::dom::element hit : hits)
    found[std::string(hit["_id"].get_string().value())] = simdjson::minify(hit["_source"].value());
  return found;
}

void check_same(const Items& found, const Items& sent) {
  CHECK(found.size() == sent.size());
  std::size_t different = 0;
  simdjson::dom::parser parser;
  for (const auto& [id, text] : sent) {
    const auto there = found.find(id);
    different +=
        there == found.end() || there->second != simdjson::minify(parser.parse(text).value()) ? 1U : 0U;
  }
  CHECK(different == 0);
}

model::SinkSettings sink_to(model::ElasticSettings elastic) {
  model::SinkSettings settings{
      .name = "siem", .format = model::ItemFormat::kEcs, .compression = model::Compression::kGzip};
  settings.receiver = std::move(elastic);
  return settings;
}

}  // namespace flowtally::test
