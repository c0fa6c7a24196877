#!/usr/bin/env bash
# Apache Kafka's start in a container: the storage made where it is new, with the administrator as its first user, whom
# nobody could log in to make; then the broker. The image's own wrapper formats too, but knows no users.
set -euo pipefail
umask 077
secret() { [ -r "$1" ] || { echo "kafka: the secret $1 is missing or cannot be read; $2" >&2; exit 2; }; }
jaas=/run/secrets/kafka_jaas admin=/run/secrets/kafka_admin_password
secret $jaas "convoca init makes it"
secret $admin "convoca init makes it"

properties=/tmp/server.properties
cat /etc/convoca/server.properties > $properties
printf '\nlog.dirs=%s\n' "$KAFKA_LOG_DIRS" >> $properties
# What an overlay adds; of two lines for one setting Kafka takes the later.
for more in /etc/convoca/more/*.properties; do
  [ -e "$more" ] || continue
  sed "s|@NODE@|${KAFKA_NODE:-}|g; s|@CLIENTS@|${KAFKA_CLIENTS:-}|g; s|@PUBLIC@|${KAFKA_PUBLIC:-}|g" "$more" >> $properties
done

# The certificate for outside systems, where there is a listener for them: Kafka reads it with its key from one file.
if [ -n "${KAFKA_PUBLIC:-}" ]; then
  certificate=/run/secrets/kafka_certificate key=/run/secrets/kafka_key
  secret $certificate "it is yours to put there"
  secret $key "it is yours to put there"
  grep -q "BEGIN PRIVATE KEY" $key || {
    echo "kafka: $key is no key as PKCS #8 without a password; openssl pkey -in OLD -out NEW makes one of it" >&2
    exit 2
  }
  cat $key $certificate > /tmp/public.pem
fi

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
