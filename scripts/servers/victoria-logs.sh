#!/usr/bin/env bash
# VictoriaLogs 1.121: HTTP on PORT with inputs for Elasticsearch, Loki, OTLP, Datadog and JSON lines below /insert/,
# syslog over TCP on PORT+1.
# shellcheck source=/dev/null disable=SC2154,SC2317
. "$(dirname "$(readlink -f "$0")")/lib.sh"

go_program
begin "$@"
launch "$cache/victoria-logs" -storageDataPath="$dir/data" -retentionPeriod=100y -httpListenAddr="127.0.0.1:$port" \
  -syslog.listenAddr.tcp="127.0.0.1:$((port + 1))" -memory.allowedBytes=256MB -inmemoryDataFlushInterval=1s
ready "curl -sf http://127.0.0.1:$port/health" 30
