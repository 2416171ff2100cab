#!/usr/bin/env bash
# What flowtally costs a host: tests/bench/run/host.sh FLOWTALLY [--json]. Start to the first counted packet, new and over
# pins; packets that a restart leaves uncounted; memory and CPU, idle and with 100,000 flows in each window. In two network
# namespaces of its own, joined by a veth pair of which one end is called tailscale0.
set -euo pipefail
program=$(readlink -f "${1:?the program}")
json=${2:-}
runs=${FLOWTALLY_BENCH_RUNS:-7}
work=$(mktemp -d)
here_ns=ftbench$$a there_ns=ftbench$$b
pids=()
clean_up() {
  local pid
  for pid in "${pids[@]}"; do kill -KILL "$pid" 2> /dev/null || true; done
  umount -l "$work/bpf" 2> /dev/null || true
  ip netns del $here_ns 2> /dev/null || true
  ip netns del $there_ns 2> /dev/null || true
  rm -rf "$work"
}
trap clean_up EXIT
ip netns add $here_ns
ip netns add $there_ns
ip link add tailscale0 netns $here_ns type veth peer name far netns $there_ns
here() { nsenter --net=/run/netns/$here_ns "$@"; }
there() { nsenter --net=/run/netns/$there_ns "$@"; }
here ip link set lo up
here ip addr add 100.64.0.1/16 dev tailscale0
here ip link set tailscale0 up
there ip addr add 100.64.0.2/16 dev far
there ip link set far up
mkdir "$work/bpf" "$work/state"
mount -t bpf bpf "$work/bpf"
socket=$work/flowtally/flowtally.sock

start() { # ARGUMENTS…
  # Not by here(): what is started has to be the process itself, to be killed.
  nsenter --net=/run/netns/$here_ns "$program" run --state-dir "$work/state" --socket "$socket" --bpffs "$work/bpf" --node-id nBench \
    --tailscaled-socket /nonexistent --no-physical "$@" > /dev/null 2>> "$work/log" &
  agent=$!
  pids+=("$agent")
}
stop() { kill -TERM "$agent"; wait "$agent" 2> /dev/null || true; }
answers() { curl -sf --unix-socket "$socket" http://localhost/api/v1/status > "$work/status" 2> /dev/null; }
wait_attached() { until answers && [ "$(jq '.interfaces[0].attached' "$work/status")" = true ]; do sleep 0.02; done; }
sent() { here cat /proc/net/dev | awk '$1 == "tailscale0:" {print $11}'; }
counted() { "$program" query --state-dir "$work/state" --json 'src 100.64.0.1' | jq -s 'flatten | [.. | .txPkts? // empty] | add // 0'; }
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
say() { # NAME VALUE UNIT
  if [ "$json" = --json ]; then printf '{"bench":"host","what":"%s","value":%s,"unit":"%s"}\n' "$1" "$2" "$3"; else printf '%-52s %10s %s\n' "$1" "$2" "$3"; fi
}

# A packet each millisecond: what was sent from the start on and is in no record passed before the first that was counted.
there ping -q -c 1 -W 2 100.64.0.1 > /dev/null
: > "$work/times"
for ((run = 0; run < runs; ++run)); do
  "$program" detach --bpffs "$work/bpf" > /dev/null
  rm -rf "$work/state"
  mkdir "$work/state"
  nsenter --net=/run/netns/$here_ns ping -q -i 0.001 -w 30 100.64.0.2 > /dev/null 2>&1 &
  traffic=$!
  pids+=("$traffic")
  sleep 0.2
  before=$(sent)
  begun=$EPOCHREALTIME
  start
  wait_attached
  sleep 0.3
  kill -INT "$traffic"
  wait "$traffic" 2> /dev/null || true
  after=$(sent)
  took=$(awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN {print (b - a) * 1000}')
  stop
  # By the rate that they really had.
  awk -v m=$((after - before - $(counted))) -v n=$((after - before)) -v t="$took" \
    'BEGIN {printf "%.0f\n", (n > 0 ? m * t / n : 0)}' >> "$work/times"
done
say "start to the first counted packet, new (median of $runs)" "$(median < "$work/times")" ms

# Restarts under traffic: nothing may be missing.
"$program" detach --bpffs "$work/bpf" > /dev/null
rm -rf "$work/state"; mkdir "$work/state"
start; wait_attached
nsenter --net=/run/netns/$here_ns ping -q -i 0.001 -w 60 100.64.0.2 > "$work/ping" 2>&1 &
traffic=$!
pids+=("$traffic")
sleep 1
for how in TERM KILL TERM KILL; do
  kill -$how "$agent"; wait "$agent" 2> /dev/null || true
  sleep 0.2
  start; wait_attached
  sleep 0.5
done
kill -INT "$traffic"; wait "$traffic" 2> /dev/null || true
stop
passed=$(sed -n 's/ packets transmitted.*//p' "$work/ping")
say "packets that four restarts left uncounted, of $passed" $((passed - $(counted))) packets
"$program" detach --bpffs "$work/bpf" > /dev/null
rm -rf "$work/state"; mkdir "$work/state"

both() { echo "$agent"; pgrep -P "$agent"; }
pss() { # of the two processes, KiB; what they share is counted once
  local pid sum=0
  for pid in $(both); do sum=$((sum + $(awk '/^Pss:/ {print $2}' "/proc/$pid/smaps_rollup"))); done
  echo $sum
}
ticks() { local pid sum=0; for pid in $(both); do sum=$((sum + $(awk '{print $14 + $15}' "/proc/$pid/stat"))); done; echo $sum; }
start --interval 5s; wait_attached
sleep 6
say "memory idle (Pss of both processes)" "$(pss | awk '{printf "%.1f", $1 / 1024}')" MiB
cpu=$(ticks)
sleep 60
say "CPU idle, of one core, over 60 s" "$(awk -v t=$(($(ticks) - cpu)) -v hz="$(getconf CLK_TCK)" 'BEGIN {printf "%.3f", t / hz / 60 * 100}')" %
# 100,000 flows in a window of five seconds, for some windows, so that the tables have their size.
nsenter --net=/run/netns/$there_ns python3 - << 'PYTHON' & flows=$!
import socket, time
end = time.monotonic() + 40
sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(25)]
for at, one in enumerate(sockets): one.bind(("100.64.0.2", 20000 + at))
while time.monotonic() < end:
    begun = time.monotonic()
    for port in range(4000):
        for one in sockets:
            try: one.sendto(b"x" * 20, ("100.64.0.1", 10000 + port))
            except OSError: pass
    time.sleep(max(0, 5 - (time.monotonic() - begun)))
PYTHON
pids+=("$flows")
most=0 cpu=$(ticks)
while kill -0 "$flows" 2> /dev/null; do now=$(pss); [ "$now" -le "$most" ] || most=$now; sleep 0.2; done
busy=$(ticks)
answers || true
latest=$("$program" query --state-dir "$work/state" --json --group-by time:1s 2> /dev/null | jq -s 'flatten | [.. | .flows? // empty] | max // 0')
say "memory with $latest flows in a window (most Pss)" "$(awk -v m="$most" 'BEGIN {printf "%.1f", m / 1024}')" MiB
say "CPU with that, of one core, over 40 s" "$(awk -v t=$((busy - cpu)) -v hz="$(getconf CLK_TCK)" 'BEGIN {printf "%.2f", t / hz / 40 * 100}')" %
stop
"$program" detach --bpffs "$work/bpf" > /dev/null
