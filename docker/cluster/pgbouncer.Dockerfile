# PgBouncer 1.24, which keeps prepared statements.
FROM debian:trixie-slim
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends pgbouncer && rm -rf /var/lib/apt/lists/*
COPY pgbouncer.ini /etc/pgbouncer/upesi.ini
COPY pgbouncer.sh /usr/local/bin/pgbouncer.sh
RUN useradd --system --no-create-home --uid 10002 pgbouncer
USER 10002
EXPOSE 6432
CMD ["/bin/sh", "/usr/local/bin/pgbouncer.sh"]
