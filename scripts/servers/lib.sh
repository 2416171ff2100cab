# What the scripts beside this one share; each is
#   NAME.sh PORT DIR [OWNER]   starts the server on 127.0.0.1:PORT (some use PORT+1 too), all it writes is in DIR,
#                              prints `ready PORT PID`; with OWNER, a process, it ends when that does
#   NAME.sh get                only gets it
# A server that cannot be had here: one line on stderr and exit code 77.
# What is got is kept in $FLOWTALLY_SERVERS, by default /var/cache/flowtally-servers.
# shellcheck shell=bash
set -euo pipefail

cache=${FLOWTALLY_SERVERS:-/var/cache/flowtally-servers}
here=$(dirname "$(readlink -f "$0")")
name=$(basename "$0" .sh)
log=$cache/$name.log
mkdir -p "$cache"

unavailable() { printf '%s cannot be had here: %s\n' "$name" "$*" >&2; exit 77; }

once() { # STAMP COMMAND…: runs it unless that was done; one process at a time
  local stamp=$cache/$1.got
  shift
  exec 9> "$cache/$name.lock"
  flock 9
  if [ ! -e "$stamp" ]; then
    "$@" > "$log" 2>&1 < /dev/null 9>&- || unavailable "$* failed, see $log"
    touch "$stamp"
  fi
  exec 9>&-
}

need_java() { # OLDEST
  local version
  command -v java > /dev/null || unavailable "no java: install default-jdk-headless"
  version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p;q')
  [ "${version:-0}" -ge "$1" ] || unavailable "java is ${version:-unknown}, $1 is needed"
}

maven_jars() { # the jars that ./NAME/pom.xml names, and what they need, into $cache/NAME/lib
  [ -e "$cache/$name.got" ] && return
  command -v mvn > /dev/null || unavailable "no mvn: install maven"
  once "$name" mvn -q -B -f "$here/$name/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$cache/$name/lib"
}

go_program() { # builds the program that ./NAME/tools.go names into $cache/NAME
  [ -e "$cache/$name.got" ] && return
  local go package wanted version
  wanted=$(sed -n 's/^go //p' "$here/$name/go.mod")
  for go in "$(command -v go || true)" /usr/local/go/bin/go; do
    [ -x "$go" ] || continue
    version=$(GOTOOLCHAIN=local "$go" env GOVERSION)
    if printf '%s\n' "$wanted" "${version#go}" | sort -V -C; then break; fi
    go=
  done
  [ -x "$go" ] || unavailable "no Go $wanted or newer"
  package=$(sed -n 's/^import _ "\(.*\)"/\1/p' "$here/$name/tools.go")
  once "$name" env GOTOOLCHAIN=local GOFLAGS='-mod=mod -buildvcs=false' CGO_ENABLED=0 \
    nice -n 10 "$go" -C "$here/$name" build -ldflags '-s -w' -o "$cache/$name" "$package"
}

unpacked_debs() { # PACKAGE: it and what it needs that is not installed, unpacked into $cache/NAME: nothing is installed or started
  command -v apt-get > /dev/null || unavailable "no apt-get"
  once "$name" unpack_debs "$1"
}
unpack_debs() {
  local folder deb
  folder=$(mktemp -d)
  mkdir "$folder/partial"
  apt-get -q update || true
  apt-get -q -y --no-install-recommends --reinstall --download-only -o APT::Sandbox::User=root \
    -o "Dir::Cache::archives=$folder" install "$1"
  mkdir -p "$cache/$name"
  for deb in "$folder"/*.deb; do dpkg-deb -x "$deb" "$cache/$name"; done
  rm -r "$folder"
}
deb_libraries() { # where the unpacked packages have theirs
  local folder
  folder=$(echo "$cache/$name"/usr/lib/*-linux-gnu*)
  printf '%s:%s' "$folder" "${folder/\/usr\/lib/\/lib}"
}

begin() { # "$@": after everything is got
  if [ "${1:-}" = get ]; then exit 0; fi
  port=${1:?port} dir=${2:?directory} owner=${3:-}
  mkdir -p "$dir"
  dir=$(readlink -f "$dir")
}

launch() { # COMMAND…
  setsid "$@" > "$dir/log" 2>&1 < /dev/null &
  pid=$!
  echo "$pid" > "$dir/pid"
  if [ -n "$owner" ]; then
    (tail --pid="$owner" -f /dev/null; kill -9 "$pid") > /dev/null 2>&1 < /dev/null &
  fi
}

ready() { # 'COMMAND' SECONDS: says so as soon as the command succeeds
  local end=$((SECONDS + $2))
  while [ "$SECONDS" -lt "$end" ]; do
    if eval "$1" > /dev/null 2>&1; then
      printf 'ready %s %s\n' "$port" "$pid"
      exit 0
    fi
    kill -0 "$pid" 2> /dev/null || break
    sleep 0.2
  done
  { printf '%s did not start on port %s:\n' "$name" "$port"; tail -n 20 "$dir/log"; } >&2
  kill -9 "$pid" 2> /dev/null || true
  exit 1
}

takes_connections() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }
