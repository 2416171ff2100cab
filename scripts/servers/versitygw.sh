#!/usr/bin/env bash
# Versity S3 gateway 1.8 over a folder: http://127.0.0.1:PORT, checks signatures; keys flowtally and flowtally1. A bucket
# is a folder in DIR/data, and there is one, "flows".
# shellcheck source=/dev/null disable=SC2154,SC2317
. "$(dirname "$(readlink -f "$0")")/lib.sh"

go_program
begin "$@"
mkdir -p "$dir/data/flows"
launch "$cache/versitygw" --access flowtally --secret flowtally1 --region us-east-1 --port "127.0.0.1:$port" --health /healthz \
  posix --nometa "$dir/data"
ready "curl -sf http://127.0.0.1:$port/healthz" 30
