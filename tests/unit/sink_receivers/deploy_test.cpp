// Goal: what is shipped for dashboards speaks of fields that documents have.
#include <cstdio>
#include <memory>
#include <set>

#include <simdjson.h>

#include "record/parse.hpp"
#include "sink/batch_maker.hpp"
#include "support/catch.hpp"
#include "test_paths.h"
#include "unit/sink_receivers/batches.hpp"

namespace flowtally::sink {
namespace {

namespace dom = simdjson::dom;

std::string text_of(const std::string& name) {
  const std::string path = std::string(FLOWTALLY_SOURCE_DIR "/scripts/deploy/") + name;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  INFO(path);
  REQUIRE(file);
  std::string text(std::size_t{1} << 20U, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  return text;
}

void collect_members(dom::object object, const std::string& prefix, std::set<std::string>& names) {
  for (const auto member : object) {
    const std::string name = prefix + std::string(member.key);
    dom::object inner;
    if (member.value.get(inner) == simdjson::SUCCESS) {
      collect_members(inner, name + ".", names);
    } else {
      names.insert(name);
    }
  }
}

/// What documents of a format may have, by their names with dots.
std::set<std::string> members_of(model::ItemFormat format) {
  const std::string record =
      R"({"logged":"2026-11-22T23:29:11Z","nodeId":"n1","start":"2026-11-22T23:29:00Z",)"
      R"("end":"2026-11-22T23:29:05Z",)"
      R"("srcNode":{"nodeId":"n1","name":"one.example.net","addresses":["100.64.0.1"],)"
      R"("user":"me@example.net"},)"
      R"("dstNodes":[{"nodeId":"n2","name":"two.example.net","addresses":["100.64.0.2"],)"
      R"("user":"you@example.net","tags":["tag:server"]}],)"
      R"("virtualTraffic":[{"proto":6,"src":"100.64.0.1:1","dst":"100.64.0.2:80",)"
      R"("txPkts":1,"txBytes":2,"rxPkts":3,"rxBytes":4}]})";
  auto maker = BatchMaker::make({.name = "sink", .format = format}, model::LogType::kNetwork);
  REQUIRE(maker);
  Batch batch;
  REQUIRE(maker->add({.line = record, .sequence = 1, .start_ns = *record::parse_time("2026-11-22T23:29:00Z")},
                     batch));
  REQUIRE(batch.items.size() == 1);
  dom::parser parser;
  std::set<std::string> names;
  collect_members(parser.parse(std::string(batch.text_of(batch.items[0]))), "", names);
  return names;
}

/// The values of all members "field" and the like, however deep, also in JSON within JSON.
void collect_fields(dom::element element, std::set<std::string>& fields) {
  dom::array values;
  dom::object members;
  if (element.get(values) == simdjson::SUCCESS) {
    for (const dom::element value : values) collect_fields(value, fields);
  } else if (element.get(members) == simdjson::SUCCESS) {
    for (const auto member : members) {
      std::string_view text;
      const bool is_text = member.value.get(text) == simdjson::SUCCESS;
      if (is_text && (member.key == "field" || member.key == "timeField" || member.key == "timeFieldName"))
        fields.insert(std::string(text));
      dom::parser parser;
      dom::element inner;
      if (is_text && text.starts_with('{') && parser.parse(std::string(text)).get(inner) == simdjson::SUCCESS)
        collect_fields(inner, fields);
      if (!is_text) collect_fields(member.value, fields);
    }
  }
}

void check_known(const std::set<std::string>& fields, const std::set<std::string>& known) {
  CHECK(fields.size() >= 3);
  for (const std::string& field : fields) {
    INFO(field);
    CHECK(known.contains(field));
  }
}

}  // namespace

TEST_CASE("Grafana's dashboard asks for fields of ECS documents") {
  dom::parser parser;
  std::set<std::string> fields;
  collect_fields(parser.parse(text_of("grafana/dashboard.json")), fields);
  check_known(fields, members_of(model::ItemFormat::kEcs));
}

TEST_CASE("OpenSearch's dashboard asks for fields of ECS documents, and each of its panels is there") {
  const std::string text = text_of("opensearch/dashboard.ndjson");
  dom::parser parser;
  dom::document_stream lines;
  REQUIRE(parser.parse_many(text).get(lines) == simdjson::SUCCESS);
  std::set<std::string> fields;
  std::set<std::string> there;
  std::set<std::string> wanted;
  for (auto line : lines) {
    const dom::element object = line.value();
    collect_fields(object, fields);
    there.insert(std::string(object["id"].get_string().value()));
    const simdjson::dom::array references = object["references"].get_array().value();
    for (const dom::element reference : references)
      wanted.insert(std::string(reference["id"].get_string().value()));
  }
  check_known(fields, members_of(model::ItemFormat::kEcs));
  for (const std::string& id : wanted) CHECK(there.contains(id));
}

TEST_CASE("the fleet's index template has every member of a flattened document, and no other") {
  dom::parser parser;
  std::set<std::string> mapped;
  const dom::element whole = parser.parse(text_of("opensearch/flows-template.json")).value();
  const dom::object properties = whole["template"]["mappings"]["properties"].get_object().value();
  for (const auto property : properties) mapped.insert(std::string(property.key));
  CHECK(mapped == members_of(model::ItemFormat::kFlattened));
}

}  // namespace flowtally::sink
