"""The metrics of the M10 parts, read from PostgreSQL and Redis when they are asked for.

Tables that do not exist yet leave HELP and TYPE lines, and zero where a metric has no labels: a reader has to look
at samples, not at names. A source that is away leaves its metrics out.
"""

import psycopg2
import redis

from app.connect import database, redis_client
from app.exposition import Family
from app.names import CONSUMER_GROUP, COUNTERS, DEAD_LETTER_STREAM, MAIN_STREAM


def collect():
    up = Family("m10_metrics_source_up", "gauge", "Whether a source of these metrics answered.")
    families = [up]
    for source, read, unavailable in (
        ("database", _read_database, psycopg2.Error),
        ("redis", _read_redis, redis.RedisError),
    ):
        try:
            families += read()
            up.add(1, source=source)
        except unavailable:
            up.add(0, source=source)
    return families


def _rows(connection, query):
    """No rows when the tables are not there yet."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(query)
        except psycopg2.errors.UndefinedTable:
            return []
        return cursor.fetchall()


def _read_database():
    connection = database()
    try:
        return _locks() + _outbox(connection) + _archive(connection) + _matviews(connection)
    finally:
        connection.close()


def _locks():
    """Only a process that takes a lock has samples of it; this one never does, and scripts end too soon to be asked."""
    return [
        Family("m10_lock_active", "gauge", "1 for each lock that is held."),
        Family("m10_lock_acquired_total", "counter", "Locks that were acquired."),
        Family("m10_lock_failed_total", "counter", "Locks that someone else held."),
        Family("m10_lock_released_total", "counter", "Locks that were given back."),
        Family("m10_lock_duration_seconds", "summary", "How long locks were held."),
    ]


OUTBOX_BY_TYPE = """
SELECT aggregate_type, event_type, count(*), count(processed_at), sum(retry_count)
FROM m10_recovery.outbox GROUP BY 1, 2 ORDER BY 1, 2
"""

OUTBOX_PENDING = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0), coalesce(sum(retry_count), 0)
FROM m10_recovery.outbox WHERE processed_at IS NULL
"""

OUTBOX_SECONDS = """
SELECT event_type, sum(extract(epoch FROM processed_at - created_at)), count(*)
FROM m10_recovery.outbox WHERE processed_at IS NOT NULL GROUP BY 1 ORDER BY 1
"""


def _outbox(connection):
    published = Family("m10_outbox_published_total", "counter", "Events that were published.")
    processed = Family("m10_outbox_processed_total", "counter", "Events that were delivered.")
    failed = Family("m10_outbox_failed_total", "counter", "Deliveries that failed.")
    for aggregate, event, rows, done, retries in _rows(connection, OUTBOX_BY_TYPE):
        labels = {"aggregate_type": aggregate, "event_type": event}
        published.add(rows, **labels)
        processed.add(done, **labels)
        failed.add(retries, **labels)
    pending = Family("m10_outbox_pending", "gauge", "Events that wait for delivery.", default=0)
    lag = Family("m10_outbox_lag_seconds", "gauge", "Age of the oldest waiting event.", default=0)
    retries = Family("m10_outbox_retry_count", "gauge", "Failed tries of the waiting events.", default=0)
    for row in _rows(connection, OUTBOX_PENDING):
        for family, value in zip((pending, lag, retries), row):
            family.add(value)
    seconds = Family("m10_outbox_processing_seconds", "summary", "From publishing to delivery.")
    for event, total, rows in _rows(connection, OUTBOX_SECONDS):
        seconds.add(total, "_sum", event_type=event)
        seconds.add(rows, "_count", event_type=event)
    return [published, processed, failed, pending, lag, retries, seconds]


def _archive(connection):
    total = Family("m10_archive_total", "counter", "Dead letters that were archived.")
    size = Family("m10_archive_size", "gauge", "Rows in the archive of dead letters.", default=0)
    # A holder's name is job:host:process; the job is the source.
    query = """
        SELECT split_part(coalesce(archived_by, 'unknown'), ':', 1), count(*)
        FROM m10_recovery.dead_letter_archive GROUP BY 1 ORDER BY 1
    """
    rows = _rows(connection, query)
    for source, count in rows:
        total.add(count, source=source)
    size.add(sum(count for _, count in rows))
    return [total, size]


def _matviews(connection):
    age = Family("recovery_matview_age_seconds", "gauge", "Time since a view was last refreshed.")
    query = "SELECT view_name, age_seconds FROM m10_recovery.matview_freshness WHERE age_seconds IS NOT NULL"
    for name, seconds in _rows(connection, query):
        age.add(seconds, view_name=name)
    return [age]


def _read_redis():
    client = redis_client()
    length = Family("recovery_stream_length", "gauge", "Messages in the main stream.")
    length.add(client.xlen(MAIN_STREAM))
    consumers = Family("recovery_stream_consumers", "gauge", "Consumers of the main stream's group.")
    consumers.add(_consumers(client))
    dead = Family("recovery_dead_letter_length", "gauge", "Messages in the dead-letter stream.")
    dead.add(client.xlen(DEAD_LETTER_STREAM))
    return [length, consumers, dead] + _counters(client.hgetall(COUNTERS))


def _consumers(client):
    try:
        groups = client.xinfo_groups(MAIN_STREAM)
    except redis.ResponseError:
        return 0  # no such stream
    return sum(group["consumers"] for group in groups if group["name"] == CONSUMER_GROUP)


def _counters(counted):
    """Counters that scripts left in Redis as kind:name."""
    deleted = Family("m10_archive_retention_deleted_total", "counter", "Archived rows deleted by age.", default=0)
    for field, value in sorted(counted.items()):
        if field.startswith("retention_deleted"):
            deleted.add(value)
    return [deleted]
