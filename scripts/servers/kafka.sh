#!/usr/bin/env bash
# Apache Kafka 4.0, one node that is broker and controller: 127.0.0.1:PORT, its controller on PORT+1.
# shellcheck source=/dev/null disable=SC2154,SC2317
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_java 17
maven_jars
begin "$@"
cat > "$dir/server.properties" <<X
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
num.partitions=${KAFKA_PARTITIONS:-1}
X
java=(java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn
  -cp "$cache/kafka/lib/*")
[ -e "$dir/data/meta.properties" ] ||
  "${java[@]}" kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qg -c "$dir/server.properties" > "$dir/format.log" 2>&1
launch "${java[@]}" kafka.Kafka "$dir/server.properties"
ready "takes_connections $port" 90
