#!/bin/sh
# Run once, when the primary's cluster is made: lets replicas stream from it, and commits wait for one of them. That holds
# from the next start: there is no replica yet, and what is still to be done now would wait for ever.
set -eu
echo "host replication all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
echo "synchronous_standby_names = 'ANY 1 (*)'" >> "$PGDATA/postgresql.conf"
