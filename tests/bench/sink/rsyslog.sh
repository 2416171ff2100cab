#!/usr/bin/env bash
# rsyslog that reads the lines of FILE and sends them over TCP to 127.0.0.1:PORT, for sink_bench: rsyslog.sh FILE PORT DIR
# shellcheck source=/dev/null disable=SC2154,SC2034
. "$(dirname "$(readlink -f "$0")")/../../../scripts/servers/lib.sh"

file=$1
shift
unpacked_debs rsyslog
begin "$@"
modules=$(echo "$cache"/rsyslog/usr/lib/*-linux-gnu*/rsyslog)
cat > "$dir/rsyslog.conf" <<X
global(workDirectory="$dir" maxMessageSize="1m")
main_queue(queue.type="linkedList" queue.size="100000" queue.dequeueBatchSize="1024")
module(load="imfile" mode="inotify")
input(type="imfile" file="$file" tag="flowtally" readMode="0")
action(type="omfwd" target="127.0.0.1" port="$port" protocol="tcp" template="RSYSLOG_SyslogProtocol23Format")
X
export LD_LIBRARY_PATH
LD_LIBRARY_PATH=$(deb_libraries)
exec "$cache/rsyslog/usr/sbin/rsyslogd" -n -f "$dir/rsyslog.conf" -i NONE -M "$modules" > "$dir/log" 2>&1
