#!/bin/sh
# Write passwords for the Redis of this folder, once: redis.env for the server, and the addresses of operator and
# workers. Keep the files: `kubectl apply -k` needs them each time. Git ignores them.
set -eu
umask 077
cd "$(dirname "$0")"
[ ! -e redis.env ] || exit 0

password() {
  head -c 24 /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

addresses() { # of a user, with its password
  at="redis://reconstruction-$1:$2@redis.reconstruction-system.svc:6379"
  printf '%s\n' "CELERY_BROKER_URL=$at/0" "CELERY_RESULT_BACKEND=$at/0" "REDIS_STATE_DB=$at/1"
}

operator=$(password) worker=$(password)
addresses operator "$operator" >operator.env
addresses worker "$worker" >worker.env
# The default user is for the probes and for people in the pod, `reconstruction-client` for programs without Kubernetes.
printf '%s\n' "REDISCLI_AUTH=$(password)" "OPERATOR_PASSWORD=$operator" "WORKER_PASSWORD=$worker" \
  "CLIENT_PASSWORD=$(password)" >redis.env.new
mv redis.env.new redis.env
