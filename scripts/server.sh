#!/usr/bin/env bash
# MLflow's tracking server with PostgreSQL, a login and proxied artifacts; docs/server.md. Ctrl-C or SIGTERM ends it all.
#   FOLDER=.server             secrets, artifacts, logs and, unless DATABASE_HOST is given, the database
#   HOST=127.0.0.1 PORT=5000   where it listens;  ALLOWED_HOSTS=name,name:port  by which names it is called
#   DATABASE_HOST= DATABASE_PORT= DATABASE_USER=mlflow   an existing PostgreSQL with the user's database mlflow;
#                              its password in PGPASSWORD or ~/.pgpass
set -euo pipefail
umask 077
FOLDER=${FOLDER:-.server} HOST=${HOST:-127.0.0.1} PORT=${PORT:-5000} BIN=${BIN:-.venv/bin}
DATABASE_PORT=${DATABASE_PORT:-15432} DATABASE_USER=${DATABASE_USER:-mlflow}
database='' server=''

fail() { echo "error: $*" >&2; exit 1; }
secret() { # a file of mode 600, made on the first start
  [ -s "$FOLDER/$1" ] || head -c 24 /dev/urandom | base64 | tr '+/' '-_' > "$FOLDER/$1"
  cat "$FOLDER/$1"
}
as_owner() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
# shellcheck disable=SC2329
stop() {
  trap - EXIT INT TERM
  if [ -n "$server" ]; then kill -TERM "-$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  if [ -n "$database" ]; then as_owner "$postgres/pg_ctl" -D "$database" -m fast -w stop > /dev/null || true; fi
}
trap stop EXIT
trap 'exit 0' INT TERM

python=$(command -v "$BIN/python" || command -v python3) || fail "there is no Python in $BIN: run make server."
"$python" -c 'import flask_wtf, importlib.metadata, psycopg; importlib.metadata.version("mlflow")' 2>/dev/null ||
  fail "the server needs more packages: run  pip install 'asr-scaling[server]'  and try again."
"$python" -c 'import socket, sys; socket.create_server((sys.argv[1], int(sys.argv[2])))' "$HOST" "$PORT" 2>/dev/null ||
  fail "port $PORT of $HOST is taken: end what listens there, or set PORT."
mkdir -p "$FOLDER/artifacts"
FOLDER=$(cd "$FOLDER" && pwd)

if [ -z "${DATABASE_HOST:-}" ]; then
  DATABASE_HOST=127.0.0.1
  found=$( (ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin "$(pg_config --bindir 2>/dev/null)" 2>/dev/null || true) | sort -V | tail -1)
  postgres=${POSTGRES_BIN:-$found}
  [ -x "$postgres/initdb" ] ||
    fail "PostgreSQL is not installed: run  apt-get install postgresql, or set DATABASE_HOST to one that runs."
  PGPASSWORD=$(secret database_password)
  export PGPASSWORD
  data=$FOLDER/postgresql
  if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses to run as root
    mkdir -p "$data" && chmod 711 "$FOLDER" && chown postgres "$data" "$FOLDER/database_password"
    as_owner test -x "$data" || fail "user postgres can't enter $data: set FOLDER to one that it can, as /var/lib/asr_scaling."
  fi
  if [ ! -f "$data/PG_VERSION" ]; then
    as_owner "$postgres/initdb" -D "$data" -U "$DATABASE_USER" -A scram-sha-256 -E UTF8 --no-locale \
      --pwfile="$FOLDER/database_password" > /dev/null || fail "PostgreSQL's initdb failed in $data."
  fi
  as_owner "$postgres/pg_ctl" -D "$data" -w -l "$data/log" start > /dev/null \
    -o "-p $DATABASE_PORT -c listen_addresses=127.0.0.1 -c unix_socket_directories=''" ||
    fail "PostgreSQL did not start on port $DATABASE_PORT: see $data/log, or set DATABASE_PORT."
  database=$data
  "$postgres/createdb" -h 127.0.0.1 -p "$DATABASE_PORT" -U "$DATABASE_USER" mlflow 2>/dev/null || true # there already
fi

address="postgresql://$DATABASE_USER@$DATABASE_HOST:$DATABASE_PORT/mlflow"
cat > "$FOLDER/auth.ini" <<INI
[mlflow]
default_permission = EDIT
database_uri = $address
admin_username = admin
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
INI
MLFLOW_AUTH_ADMIN_PASSWORD=$(secret admin_password) MLFLOW_FLASK_SERVER_SECRET_KEY=$(secret flask_secret_key)
export MLFLOW_AUTH_ADMIN_PASSWORD MLFLOW_FLASK_SERVER_SECRET_KEY
export MLFLOW_AUTH_CONFIG_PATH=$FOLDER/auth.ini MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
hosts=${ALLOWED_HOSTS:-localhost:$PORT,127.0.0.1:$PORT,$HOST:$PORT}
set -m # a group of its own, so that Ctrl-C reaches it once, through stop
"$python" -m mlflow server --app-name basic-auth --backend-store-uri "$address" --serve-artifacts \
  --artifacts-destination "$FOLDER/artifacts" --host "$HOST" --port "$PORT" --workers "${WORKERS:-2}" \
  --allowed-hosts "$hosts" --uvicorn-opts "--no-access-log" > "$FOLDER/server.log" 2>&1 &
server=$!
set +m
for _ in $(seq 120); do
  kill -0 "$server" 2>/dev/null || fail "MLflow did not start: see $FOLDER/server.log."
  "$python" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=1)' \
    "http://$HOST:$PORT/health" 2>/dev/null && break
  sleep 0.5
done
cat <<TEXT
The tracking server is at http://$HOST:$PORT; Ctrl-C ends it. In the shells of its users:
  export MLFLOW_TRACKING_USERNAME=admin MLFLOW_TRACKING_PASSWORD="\$(cat $FOLDER/admin_password)"
  python -m asr_scaling -m tracking.uri=http://$HOST:$PORT batch=1,8
docs/server.md says how users get logins of their own, and how it is backed up and upgraded.
TEXT
wait "$server" || fail "MLflow ended: see $FOLDER/server.log."
