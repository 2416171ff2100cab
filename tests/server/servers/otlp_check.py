"""Reads a request of ours with OpenTelemetry's own definition of it: otlp_check.py REQUEST-FILE ITEMS-FILE"""
import json
import sys

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest


def value_of(any_value):
    kind = any_value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [value_of(value) for value in any_value.array_value.values]
    if kind == "kvlist_value":
        return members_of(any_value.kvlist_value.values)
    return getattr(any_value, kind)


def members_of(pairs):
    return {pair.key: value_of(pair.value) for pair in pairs}


def expected(value):
    """Whole numbers that int64 cannot hold are sent as text."""
    if isinstance(value, dict):
        return {key: expected(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [expected(inner) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and value >= 2**63:
        return str(value)
    return value


def main():
    with open(sys.argv[1], "rb") as file:
        sent = file.read()
    request = ExportLogsServiceRequest()
    request.ParseFromString(sent)
    # Every field known, in its place, and written as protobuf's own writer writes it.
    assert request.SerializeToString(deterministic=True) == sent, "other bytes than protobuf's own"
    (resource_logs,) = request.resource_logs
    resource = members_of(resource_logs.resource.attributes)
    assert resource["service.name"] == "flowtally" and resource["service.version"] == "1.2.3", resource
    (scope_logs,) = resource_logs.scope_logs
    assert scope_logs.scope.name == "flowtally"
    with open(sys.argv[2], encoding="utf-8") as file:
        items = [json.loads(line) for line in file]
    assert len(items) == len(scope_logs.log_records)
    for item, record in zip(items, scope_logs.log_records):
        attributes = members_of(record.attributes)
        assert attributes.pop("log.record.uid") == item["id"]
        assert attributes == expected(item["item"]), (attributes, item["item"])
        for name, value in attributes.items():
            assert type(value) is type(expected(item["item"])[name]), name
        assert record.time_unix_nano == item["time"]
        assert record.observed_time_unix_nano == item["logged"]
        assert record.severity_number == 9 and record.severity_text == "INFO"
        assert record.event_name == "network.flow" and value_of(record.body) == "network.flow"
    print(f"{len(items)} log records read by OpenTelemetry's definition")


main()
