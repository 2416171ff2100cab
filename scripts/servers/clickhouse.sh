#!/usr/bin/env bash
# ClickHouse as Debian 12 has it, 18.16: HTTP on PORT, native on PORT+1; user default without a password.
# shellcheck source=/dev/null disable=SC2154,SC2317
. "$(dirname "$(readlink -f "$0")")/lib.sh"

unpacked_debs clickhouse-server
begin "$@"
mkdir -p "$dir/data" "$dir/tmp" "$dir/schemas"
cat > "$dir/config.xml" <<X
<yandex>
  <logger><level>warning</level><console>1</console></logger>
  <listen_host>127.0.0.1</listen_host><http_port>$port</http_port><tcp_port>$((port + 1))</tcp_port>
  <path>$dir/data/</path><tmp_path>$dir/tmp/</tmp_path><format_schema_path>$dir/schemas/</format_schema_path>
  <mark_cache_size>67108864</mark_cache_size><users_config>users.xml</users_config>
  <default_profile>default</default_profile><default_database>default</default_database>
</yandex>
X
cat > "$dir/users.xml" <<X
<yandex>
  <profiles><default/></profiles><quotas><default/></quotas>
  <users><default><password></password><networks><ip>127.0.0.1</ip></networks>
    <profile>default</profile><quota>default</quota></default></users>
</yandex>
X
export LD_LIBRARY_PATH
LD_LIBRARY_PATH=$(deb_libraries)
launch "$cache/clickhouse/usr/sbin/clickhouse-server" --config-file="$dir/config.xml"
ready "curl -sf http://127.0.0.1:$port/ping" 60
