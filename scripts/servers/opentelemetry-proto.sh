#!/usr/bin/env bash
# No server: OpenTelemetry's own definition of its messages, for Python. Prints the Python that has it.
# shellcheck source=/dev/null disable=SC2154,SC2317
. "$(dirname "$(readlink -f "$0")")/lib.sh"

get_it() {
  python3 -m venv "$cache/opentelemetry-proto"
  "$cache/opentelemetry-proto/bin/pip" install --quiet --disable-pip-version-check opentelemetry-proto
}
command -v python3 > /dev/null || unavailable "no python3"
once opentelemetry-proto get_it
[ "${1:-}" != get ] || exit 0
printf '%s\n' "$cache/opentelemetry-proto/bin/python"
