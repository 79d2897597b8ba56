#!/bin/sh
# The password is in the environment alone: PgBouncer reads it from a file.
set -eu
umask 077
printf '"upesi" "%s"\n' "$POSTGRES_PASSWORD" > /tmp/userlist.txt
exec pgbouncer /etc/pgbouncer/upesi.ini
