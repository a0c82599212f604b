#!/usr/bin/env bash
# The steps of runbooks/022_m10_production_hardening.yml as somebody would script them by hand: the same programs,
# the same checks, one after the other. It is what the bot's run is timed against.
# Environment: STAGING, PRODUCTION (database URLs), STAGING_REDIS, PRODUCTION_REDIS, BACKEND, BACKUPS, METRICS, SQUAWK.
set -euo pipefail
cd "$BACKEND"
export PYTHONPATH=.
FROM=021_m10_durable_queue_fallback
TO=022_m10_production_hardening
q() { psql -X -At -v ON_ERROR_STOP=1 "$1" -c "$2"; }
is() { [ "$1" = "$2" ] || { echo "expected $2, found $1" >&2; exit 1; }; }
current() { DATABASE_URL="$1" alembic current 2>/dev/null | cut -d' ' -f1; }

# Pre-migration checklist
is "$(current "$STAGING")" $FROM
is "$(q "$PRODUCTION" 'select version_num from alembic_version')" $FROM
for db in "$STAGING" "$PRODUCTION"; do
  q "$db" "select (select system_identifier from pg_control_system()), (select oid from pg_database where datname = current_database())"
done
DATABASE_URL="$PRODUCTION" alembic upgrade $FROM:$TO --sql 2>/dev/null >"$BACKUPS/022.sql"
"$SQUAWK" --reporter json "$BACKUPS/022.sql" >"$BACKUPS/squawk.json" || true
for url in "$STAGING_REDIS" "$PRODUCTION_REDIS"; do
  # redis-cli wants a user name where libraries do without.
  redis=${url/:\/\/:/:\/\/default:}
  is "$(redis-cli --no-auth-warning -u "$redis" config get appendonly | tail -1)" yes
  is "$(redis-cli --no-auth-warning -u "$redis" config get maxmemory-policy | tail -1)" noeviction
done
REDIS_URL="$PRODUCTION_REDIS" DATABASE_URL="$PRODUCTION" python3 -m scripts.ops.check_redis_config --json
alembic --version; python3 --version; pg_dump --version; pg_restore --version
df -k "$BACKUPS"
q "$PRODUCTION" 'select pg_database_size(current_database())'
for db in "$STAGING" "$PRODUCTION"; do
  q "$db" "select count(*) from pg_stat_activity where datname = current_database() and xact_start < now() - interval '1 minute'"
done
date

shape() {
  is "$(q "$1" "select count(*) from information_schema.tables where table_schema = 'm10_recovery' and table_name in ('distributed_locks', 'replay_log', 'dead_letter_archive', 'outbox')")" 4
  q "$1" "select table_name, column_name, data_type, is_nullable from information_schema.columns where table_schema = 'm10_recovery'" >/dev/null
  is "$(q "$1" "select count(*) from information_schema.routines where routine_schema = 'm10_recovery' and routine_name in ('acquire_lock', 'release_lock', 'extend_lock', 'record_replay', 'archive_dead_letter', 'publish_outbox', 'claim_outbox_events', 'complete_outbox_event', 'cleanup_expired_locks')")" 9
}
locks() {
  q "$1" "begin; select m10_recovery.acquire_lock('check', 'one', 60); select m10_recovery.acquire_lock('check', 'two', 60); select m10_recovery.extend_lock('check', 'one', 120); select m10_recovery.release_lock('check', 'one'); select m10_recovery.cleanup_expired_locks(); rollback"
}
outbox() {
  q "$1" "begin; select m10_recovery.publish_outbox('check', 'check', 'notify:check', '{}'); select * from m10_recovery.claim_outbox_events('check', 10); select m10_recovery.complete_outbox_event(id, 'check', true, null) from m10_recovery.outbox; rollback"
}
replay() {
  q "$1" "begin; select * from m10_recovery.record_replay('o', 'd1', null, null, 'n1', 'check'); select * from m10_recovery.record_replay('o', 'd2', null, null, 'n2', 'check'); rollback"
}

# Staging
DATABASE_URL="$STAGING" PGOPTIONS='-c lock_timeout=5s' alembic upgrade $TO
is "$(current "$STAGING")" $TO
shape "$STAGING"
export REDIS_URL="$STAGING_REDIS"
DATABASE_URL="$STAGING" python3 -m pytest tests/test_m10_leader_election.py -v --junitxml="$BACKUPS/one.xml"
DATABASE_URL="$STAGING" python3 -m pytest tests/test_m10_recovery_chaos.py -v -k 'not HighVolume' --junitxml="$BACKUPS/two.xml"
locks "$STAGING"; outbox "$STAGING"; replay "$STAGING"

# Production
export REDIS_URL="$PRODUCTION_REDIS"
q "$PRODUCTION" "select count(*) from pg_stat_activity where datname = current_database() and xact_start < now() - interval '1 minute'"
pg_dump -Fc -f "$BACKUPS/production.dump" "$PRODUCTION"
pg_restore -l "$BACKUPS/production.dump" >/dev/null
pg_restore -f /dev/null "$BACKUPS/production.dump"
sha256sum "$BACKUPS/production.dump"
is "$(q "$PRODUCTION" 'select version_num from alembic_version')" $FROM
DATABASE_URL="$PRODUCTION" PGOPTIONS='-c lock_timeout=5s' alembic upgrade $TO
is "$(current "$PRODUCTION")" $TO

# Verification
shape "$PRODUCTION"; locks "$PRODUCTION"; replay "$PRODUCTION"; outbox "$PRODUCTION"
DATABASE_URL="$PRODUCTION" python3 -m scripts.ops.reconcile_dl --dry-run --json
DATABASE_URL="$PRODUCTION" python3 -m scripts.ops.refresh_matview --view mv_top_pending --json
DATABASE_URL="$PRODUCTION" python3 -m scripts.ops.refresh_matview --status --json
curl -sf "$METRICS" | grep -E '^m10_(lock|outbox|archive)' >/dev/null
