#!/usr/bin/env bash
# rsyslog: RFC 5424 over TCP on PORT, by octets or lines, and over TLS on PORT+1 where DIR has ca.pem, server.pem and
# server-key.pem. What comes is a line of JSON in DIR/out.
# shellcheck source=/dev/null disable=SC2154,SC2317
. "$(dirname "$(readlink -f "$0")")/lib.sh"

unpacked_debs rsyslog
begin "$@"
modules=$(echo "$cache"/rsyslog/usr/lib/*-linux-gnu*/rsyslog)
cat > "$dir/rsyslog.conf" <<X
global(workDirectory="$dir" maxMessageSize="1m")
module(load="imtcp" maxFrameSize="1048576")
input(type="imtcp" port="$port" address="127.0.0.1")
template(name="line" type="list") {
  constant(value="{") property(name="timereported" dateFormat="rfc3339" format="jsonf" outname="time")
  constant(value=",") property(name="pri" format="jsonf" outname="priority")
  constant(value=",") property(name="hostname" format="jsonf" outname="host")
  constant(value=",") property(name="app-name" format="jsonf" outname="app")
  constant(value=",") property(name="msgid" format="jsonf" outname="msgid")
  constant(value=",") property(name="structured-data" format="jsonf" outname="data")
  constant(value=",") property(name="msg" format="jsonf" outname="message") constant(value="}\n") }
action(type="omfile" file="$dir/out" template="line" flushOnTXEnd="on")
X
export LD_LIBRARY_PATH
LD_LIBRARY_PATH=$(deb_libraries)
launch "$cache/rsyslog/usr/sbin/rsyslogd" -n -f "$dir/rsyslog.conf" -i NONE -M "$modules"
ready "takes_connections $port" 30
