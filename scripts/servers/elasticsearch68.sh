#!/usr/bin/env bash
# Elasticsearch 6.8, the last of its kind, with security: http://127.0.0.1:PORT, user elastic, password flowtally1.
# shellcheck source=/dev/null disable=SC2154,SC2317
. "$(dirname "$(readlink -f "$0")")/lib.sh"

version=6.8.23
get_it() {
  mvn -q -B dependency:copy "-Dartifact=org.elasticsearch.distribution.zip:elasticsearch:$version:zip" "-DoutputDirectory=$cache"
  (cd "$cache" && jar -xf "elasticsearch-$version.zip")
  rm "$cache/elasticsearch-$version.zip"
  rm -r "$cache/elasticsearch-$version"/modules/x-pack-ml/platform/{darwin,windows}*
  chmod -R a+rX "$cache/elasticsearch-$version"
  find "$cache/elasticsearch-$version" -type f -path '*/bin/*' -exec chmod a+x {} +
}
need_java 11
if [ ! -e "$cache/elasticsearch68.got" ]; then
  command -v mvn > /dev/null || unavailable "no mvn: install maven"
  command -v jar > /dev/null || unavailable "no jar: install default-jdk-headless"
  once elasticsearch68 get_it
fi
begin "$@"

home=$cache/elasticsearch-$version
export ES_PATH_CONF=$dir/config
rm -rf "$ES_PATH_CONF"
cp -r "$home/config" "$ES_PATH_CONF"
mkdir -p "$dir/logs" "$dir/data" "$dir/tmp"
printf '%s\n' -Xms512m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dfile.encoding=UTF-8 -Djna.nosys=true \
  -Dlog4j2.disable.jmx=true "-Djava.io.tmpdir=$dir/tmp" --add-opens=java.base/java.io=ALL-UNNAMED > "$ES_PATH_CONF/jvm.options"
"$home/bin/elasticsearch-keystore" create > "$dir/log" 2>&1
printf flowtally1 | "$home/bin/elasticsearch-keystore" add -x bootstrap.password >> "$dir/log" 2>&1
# It refuses to be root.
as=()
if [ "$(id -u)" = 0 ]; then
  chown -R nobody "$dir"
  as=(setpriv --reuid nobody --regid nogroup --clear-groups)
fi
launch "${as[@]}" "$home/bin/elasticsearch" -Enetwork.host=127.0.0.1 -Ehttp.port="$port" -Etransport.port="$((port + 1))" \
  -Ediscovery.type=single-node -Expack.ml.enabled=false -Expack.security.enabled=true \
  -Ecluster.routing.allocation.disk.threshold_enabled=false -Epath.data="$dir/data" -Epath.logs="$dir/logs"
ready "curl -sf -u elastic:flowtally1 'http://127.0.0.1:$port/_cluster/health?wait_for_status=yellow&timeout=1s'" 180
