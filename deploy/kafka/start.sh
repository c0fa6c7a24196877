#!/usr/bin/env bash
# Apache Kafka's start in a container: the storage made where it is new, with the administrator as its first user, whom
# nobody could log in to make; then the broker. The image's own wrapper formats too, but knows no users.
set -euo pipefail
umask 077
secret() { [ -r "$1" ] || { echo "kafka: the secret $1 is missing or cannot be read; convoca init makes it" >&2; exit 2; }; }
jaas=/run/secrets/kafka_jaas admin=/run/secrets/kafka_admin_password
secret $jaas
secret $admin

properties=/tmp/server.properties
cat /etc/convoca/server.properties > $properties
printf '\nlog.dirs=%s\n' "$KAFKA_LOG_DIRS" >> $properties

export LOG_DIR=/tmp KAFKA_LOG4J_OPTS=-Dlog4j2.configurationFile=/etc/convoca/log4j2.yaml
export KAFKA_OPTS=-Djava.security.auth.login.config=$jaas
if [ ! -e "$KAFKA_LOG_DIRS/meta.properties" ]; then
  : "${KAFKA_CLUSTER_ID:?is missing; convoca init writes it into .env}"
  # What it says of its success holds the keys that it made of the password.
  /opt/kafka/bin/kafka-storage.sh format "--cluster-id=$KAFKA_CLUSTER_ID" --config $properties \
    --add-scram "SCRAM-SHA-512=[name=admin,password=$(< $admin)]" > /dev/null
fi
export EXTRA_ARGS="-name kafkaServer" # without a log of the garbage collector, for which there is no disk
exec /opt/kafka/bin/kafka-server-start.sh $properties
