"""Brings the dead-letter stream, the main stream and the archive to agree."""

import json
from datetime import datetime, timezone
from uuid import UUID

import redis
from psycopg2.extras import execute_batch

from app.names import CONSUMER_GROUP, DEAD_LETTER_CAP, DEAD_LETTER_STREAM, MAIN_STREAM

BATCH = 500


def reconcile(connection, client, archived_by, dry_run):
    """Acknowledges what is dead-lettered yet still pending, archives every dead letter, then trims the stream.

    Raises redis.RedisError or psycopg2.Error; all that was done until then stands and may be done again.
    """
    report = {"scanned": 0, "still_pending": 0, "acknowledged": 0, "archived": 0, "trimmed": 0}
    has_group = _has_group(client)
    start = "-"
    while True:
        entries = client.xrange(DEAD_LETTER_STREAM, min=start, count=BATCH)
        if not entries:
            break
        report["scanned"] += len(entries)
        pending = _pending_originals(client, entries) if has_group else []
        report["still_pending"] += len(pending)
        if not dry_run:
            # The archive first: once acknowledged, a message is nowhere but in the dead-letter stream.
            report["archived"] += _archive(connection, entries, archived_by)
            if pending:
                report["acknowledged"] += client.xack(MAIN_STREAM, CONSUMER_GROUP, *pending)
        start = f"({entries[-1][0]}"
    if not dry_run and report["scanned"] > DEAD_LETTER_CAP:
        report["trimmed"] = client.xtrim(DEAD_LETTER_STREAM, maxlen=DEAD_LETTER_CAP, approximate=False)
    return report


def _has_group(client):
    try:
        return any(group["name"] == CONSUMER_GROUP for group in client.xinfo_groups(MAIN_STREAM))
    except redis.ResponseError:
        return False  # no such stream


def _pending_originals(client, entries):
    originals = sorted({fields["original_msg_id"] for _, fields in entries if "original_msg_id" in fields})
    pipeline = client.pipeline(transaction=False)
    for message in originals:
        pipeline.xpending_range(MAIN_STREAM, CONSUMER_GROUP, min=message, max=message, count=1)
    # An id that is no stream id is an error of its own entry, not of the whole batch.
    answers = pipeline.execute(raise_on_error=False)
    return [message for message, answer in zip(originals, answers) if isinstance(answer, list) and answer]


def _archive(connection, entries, archived_by):
    """The number of entries that the archive did not hold before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM m10_recovery.dead_letter_archive WHERE dl_msg_id = ANY(%s)",
            ([message for message, _ in entries],),
        )
        known = cursor.fetchone()[0]
        execute_batch(
            cursor,
            "SELECT m10_recovery.archive_dead_letter(%s, %s, %s, %s::uuid, %s::jsonb, %s, %s, %s, %s)",
            [
                (
                    message,
                    fields.get("original_msg_id"),
                    _parsed(int, fields.get("candidate_id")),
                    _parsed(lambda text: str(UUID(text)), fields.get("failure_match_id")),
                    json.dumps(fields),
                    fields.get("reason"),
                    _parsed(int, fields.get("reclaim_count")),
                    _time_of(message),
                    archived_by,
                )
                for message, fields in entries
            ],
        )
    return len(entries) - known


def _parsed(parse, text):
    """None for what cannot be read: the whole message stands in the payload, and one must not hold up the rest."""
    try:
        return parse(text)
    except (TypeError, ValueError, AttributeError):
        return None


def _time_of(message):
    return datetime.fromtimestamp(int(message.partition("-")[0]) / 1000, timezone.utc)
