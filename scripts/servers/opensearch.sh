#!/usr/bin/env bash
# OpenSearch 2.19: http://127.0.0.1:PORT, nobody has to say who they are.
# shellcheck source=/dev/null disable=SC2154,SC2317
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_java 11
maven_jars
command -v javac > /dev/null || unavailable "no javac: install default-jdk-headless"
once opensearch-node javac -cp "$cache/opensearch/lib/*" -d "$cache/opensearch/classes" "$here/opensearch/OpenSearchNode.java"
begin "$@"
launch java -Xms384m -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
  -cp "$cache/opensearch/classes:$cache/opensearch/lib/*" OpenSearchNode "$dir" "$port" \
  org.opensearch.ingest.common.IngestCommonPlugin org.opensearch.painless.PainlessPlugin \
  org.opensearch.index.mapper.MapperExtrasPlugin
ready "curl -sf 'http://127.0.0.1:$port/_cluster/health?wait_for_status=yellow&timeout=1s'" 120
