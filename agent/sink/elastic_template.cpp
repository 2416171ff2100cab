#include "sink/elastic_template.hpp"

#include <fmt/format.h>

namespace flowtally::sink {
namespace {

/// Of all formats at once: a name that a format does not have costs nothing.
constexpr std::string_view kMappings =
    R"("dynamic":false,"properties":{"@timestamp":{"type":"date"},)"
    R"("event":{"properties":{"start":{"type":"date"},"end":{"type":"date"},"created":{"type":"date"},)"
    R"("duration":{"type":"long"},"id":{"type":"keyword"},"dataset":{"type":"keyword"},)"
    R"("action":{"type":"keyword"},)"
    R"("kind":{"type":"keyword"},"category":{"type":"keyword"},"type":{"type":"keyword"}}},)"
    R"("host":{"properties":{"id":{"type":"keyword"},"name":{"type":"keyword"}}},)"
    R"("network":{"properties":{"iana_number":{"type":"keyword"},"transport":{"type":"keyword"},)"
    R"("type":{"type":"keyword"},"name":{"type":"keyword"},"community_id":{"type":"keyword"},)"
    R"("packets":{"type":"long"},"bytes":{"type":"long"}}},)"
    R"("source":{"properties":{"address":{"type":"keyword"},"ip":{"type":"ip","ignore_malformed":true},)"
    R"("port":{"type":"integer"},"packets":{"type":"long"},"bytes":{"type":"long"}}},)"
    R"("destination":{"properties":{"address":{"type":"keyword"},"ip":{"type":"ip","ignore_malformed":true},)"
    R"("port":{"type":"integer"},"packets":{"type":"long"},"bytes":{"type":"long"}}},)"
    R"("flowtally":{"properties":{"class":{"type":"keyword"},"peer":{"type":"keyword"},)"
    R"("user":{"type":"keyword"},)"
    R"("tags":{"type":"keyword"},"event":{"type":"keyword"},"reason":{"type":"keyword"},)"
    R"("count":{"type":"long"},)"
    R"("configuration":{"type":"object","enabled":false}}},)"
    R"("id":{"type":"keyword"},"logged":{"type":"date"},"start":{"type":"date"},"end":{"type":"date"},)"
    R"("nodeId":{"type":"keyword"},"class":{"type":"keyword"},"proto":{"type":"integer"},)"
    R"("src":{"type":"ip","ignore_malformed":true},"srcPort":{"type":"integer"},)"
    R"("dst":{"type":"ip","ignore_malformed":true},"dstPort":{"type":"integer"},)"
    R"("txPkts":{"type":"long"},"txBytes":{"type":"long"},"rxPkts":{"type":"long"},)"
    R"("rxBytes":{"type":"long"},)"
    R"("peer":{"type":"keyword"},"user":{"type":"keyword"},"tags":{"type":"keyword"}}})";

}  // namespace

std::string index_template(std::string_view pattern, bool typed) {
  if (typed) {
    return fmt::format(R"({{"index_patterns":["{}*"],"mappings":{{"_doc":{{{}}}}})", pattern, kMappings);
  }
  return fmt::format(
      R"({{"index_patterns":["{}*"],"data_stream":{{}},"priority":200,"template":{{"mappings":{{{}}}}})",
      pattern, kMappings);
}

}  // namespace flowtally::sink
