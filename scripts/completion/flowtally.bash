# Completion of flowtally's command line in bash. Installed as /usr/share/bash-completion/completions/flowtally.
# tests/unit/cli/completion_test.cpp asks the program whether this is all.
# shellcheck shell=bash

_flowtally() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} words=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    words="run status query tail peers stream config detach demo check pause version --help --version"
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    return
  fi
  case $previous in
    --socket | --tailscaled-socket | --token-file | --identity | --config)
      mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
    --state-dir | --bpffs) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    --user) mapfile -t COMPREPLY < <(compgen -u -- "$current"); return ;;
    --socket-group | --admin-group) mapfile -t COMPREPLY < <(compgen -g -- "$current"); return ;;
    --interface | --underlay) words=$(cd /sys/class/net 2> /dev/null && printf '%s ' *) ;;
    --attach) words="auto tcx clsact" ;;
    --fsync) words="window second never" ;;
    --since) words="15m 1h 1d" ;;
    --start | --end) words="today yesterday" ;;
    --group-by) words="src dst sport dport port proto peer user tag class node time:5m time:1h" ;;
    --sort) words="-bytes -packets -flows -txBytes -rxBytes" ;;
    --output)
      if [ "$command" = query ]; then
        words="table json ndjson csv"
      else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
      fi ;;
    --interval | --duration | --wait | --retain-size | --retain-age | --listen | --node-id | --max-flows | --limit) return ;;
  esac
  if [ -z "$words" ]; then
    case $command in
      run) words="--config --user --admin-group --interface --interval --state-dir --retain-size --retain-age --fsync --output --no-journal --socket
        --socket-group --listen --token-file --fresh --node-id --max-flows --bpffs --attach --duration --no-exclude
        --no-accounting --tailscaled-socket --identity --log-exit-flows --no-physical --underlay --help" ;;
      status) words="--socket --json --healthy --ready --help" ;;
      peers) words="--socket --json --help" ;;
      query) words="--since --start --end --group-by --sort --limit --output --json --socket --state-dir --help" ;;
      tail) words="--socket --json --help" ;;
      detach) words="--wait --bpffs --help" ;;
      demo) words="--duration --interval --max-flows --help" ;;
      check) words="--interface --bpffs --state-dir --tailscaled-socket --user --json --help" ;;
      pause | version) words="--help" ;;
      stream) words="--help"; [ "$COMP_CWORD" -eq 2 ] && words="$words list status add remove test replay" ;;
      config) words="--help"; [ "$COMP_CWORD" -eq 2 ] && words="$words check print schema" ;;
    esac
    case $command:$current in
      query:-* | tail:-*) ;;
      query:* | tail:*) words="$words and or not proto src dst host port sport dport bytes packets node peer user tag class" ;;
    esac
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _flowtally flowtally
