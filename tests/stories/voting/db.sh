#!/bin/sh
# The seed calls it with the word `db`, which means nothing to it.
cluster=$(echo /etc/postgresql/*/main)
version=${cluster#/etc/postgresql/}; version=${version%/main}
echo "host all all 0.0.0.0/0 trust" >> "$cluster/pg_hba.conf"
mkdir -p /var/run/postgresql && chown postgres /var/run/postgresql
exec setpriv --reuid=postgres --regid=postgres --init-groups "/usr/lib/postgresql/$version/bin/postgres" \
  -D "/var/lib/postgresql/$version/main" -c "config_file=$cluster/postgresql.conf" -c 'listen_addresses=*' -c ssl=off
