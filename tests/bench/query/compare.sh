#!/usr/bin/env bash
# Asks the same two questions of flowtally, grep, jq and DuckDB, over the same records, and checks that they answer
# the same: a needle (the lines of one address) and the ten remote addresses with most bytes. By hand: it takes
# minutes. docs/benchmarks.md has the method and the figures.
#   tests/bench/query/compare.sh BUILD_DIR [WINDOWS]    WINDOWS: of 10,000 flows, 5 MB each; 800 is 1 GB
# DuckDB is asked where PYTHON (python3) has its module. Each runs ROUNDS (3) times; CPU time is of all its processes.
set -euo pipefail
export LC_ALL=C
build=$(readlink -f "${1:?compare.sh: give the build directory}")
windows=${2:-800}
rounds=${ROUNDS:-3}
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$build/tests/bench/query/day_bench" "$windows" "$work/network" > "$work/made"
head -n 1 "$work/made"
journal() { zstdcat "$work"/network/*.ndjson.zst; cat "$work"/network/*.ndjson; }
journal > "$work/plain.ndjson"
bytes=$(stat -c %s "$work/plain.ndjson")
export work
export -f journal

needle=100.99.77.55
# shellcheck disable=SC2016  # jq's variables
entries='(.virtualTraffic, .subnetTraffic, .exitTraffic, .physicalTraffic)[]?'
host() { printf 'select((.src|startswith("%s:")) or (.dst|startswith("%s:")))' "$1" "$1"; }
cat > "$work/duck.py" <<'PYTHON'
import sys, duckdb
what, path, threads, needle = sys.argv[1:]
entry = "STRUCT(proto UTINYINT, src VARCHAR, dst VARCHAR, txPkts UBIGINT, txBytes UBIGINT, rxPkts UBIGINT, rxBytes UBIGINT)[]"
db = duckdb.connect()
db.execute(f"SET threads={threads}")
flows = f"""SELECT unnest(virtualTraffic) AS f FROM read_json('{path}', format='newline_delimited',
  maximum_object_size=4194304, columns={{virtualTraffic: '{entry}'}})"""
if what == "needle":
    rows = db.execute(f"SELECT f.src, f.dst FROM ({flows}) WHERE f.src LIKE '{needle}:%' OR f.dst LIKE '{needle}:%'")
else:
    rows = db.execute(f"""SELECT split_part(f.dst, ':', 1) AS d, sum(coalesce(f.txBytes, 0) + coalesce(f.rxBytes, 0))::UBIGINT
      AS b FROM ({flows}) GROUP BY d ORDER BY b DESC, d LIMIT 10""")
for row in rows.fetchall():
    print(*row, sep="\t")
PYTHON

# measure NAME OUTPUT COMMAND: medians of wall and CPU seconds, and the largest process.
measure() {
  local name=$1 output=$2 round
  shift 2
  : > "$work/times"
  for ((round = 0; round < rounds; ++round)); do
    /usr/bin/time -q -a -o "$work/times" -f '%e %U %S %M' bash -c "set -o pipefail; $*" > "$work/$output"
  done
  awk -v name="$name" -v bytes="$bytes" '
    function median(list, n,   i, j, t) {
      for (i = 2; i <= n; ++i) for (j = i; j > 1 && list[j] < list[j - 1]; --j) { t = list[j]; list[j] = list[j - 1]; list[j - 1] = t }
      return list[int((n + 1) / 2)]
    }
    { wall[NR] = $1; cpu[NR] = $2 + $3; if ($4 > rss) rss = $4 }
    END { c = median(cpu, NR)
          printf "%-34s %8.2f s wall %8.2f s CPU %8.2f GB of lines per s of CPU %6d MiB\n", name, median(wall, NR), c, bytes / (c > 0 ? c : 0.01) / 1e9, rss / 1024 }' "$work/times"
}
same() { cmp "$work/$1" "$work/$2" || { echo "compare.sh: $1 and $2 do not answer the same" >&2; exit 1; }; }

flowtally="$build/flowtally query --state-dir $work"
[ -x "$build/flowtally" ] || { echo "compare.sh: there is no $build/flowtally" >&2; exit 2; }
duck=
if "$python" -c 'import duckdb' 2> "$work/none"; then duck=yes; else echo "without DuckDB: $python has no module of that name"; fi

echo "== needle"
measure "flowtally, sealed" ours.needle "$flowtally --output ndjson host $needle | jq -r '[.src,.dst]|@tsv'"
measure "grep -F, sealed (whole lines)" grep "zstdcat $work/network/*.ndjson.zst | grep -F '\"$needle:'"
measure "grep -F, plain (whole lines)" grep "grep -F '\"$needle:' $work/plain.ndjson"
measure "zstdcat | jq" jq.needle "journal | jq -r '$entries | $(host "$needle") | [.src,.dst]|@tsv'"
same ours.needle jq.needle
if [ "$duck" ]; then
  for threads in 1 2; do
    measure "DuckDB, plain, threads: $threads" duck.needle "$python $work/duck.py needle $work/plain.ndjson $threads $needle"
    same ours.needle duck.needle
  done
fi

echo "== top 10 of dst by bytes"
measure "flowtally, sealed" ours.top "$flowtally --output ndjson --group-by dst --limit 10 | jq -r '[.dst,.bytes]|@tsv'"
measure "zstdcat | jq | awk" jq.top "journal | jq -r '$entries | [(.dst|split(\":\")[0]), .txBytes + .rxBytes]|@tsv' |
  awk '{ sum[\$1] += \$2 } END { for (dst in sum) printf \"%s\\t%.0f\\n\", dst, sum[dst] }' | sort -k2,2nr -k1,1 | head -n 10"
same ours.top jq.top
if [ "$duck" ]; then
  for threads in 1 2; do
    measure "DuckDB, plain, threads: $threads" duck.top "$python $work/duck.py top $work/plain.ndjson $threads $needle"
    same ours.top duck.top
  done
fi
