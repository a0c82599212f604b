"""Leader election with the lock functions of the database, counted in Redis."""

import time
from contextlib import contextmanager

import psycopg2
import redis

from app.names import COUNTERS


@contextmanager
def leadership(connection, client, lock_name, holder, ttl_seconds):
    """Yields whether this process is the leader for `lock_name`, and gives the lock back at the end.

    A database without the lock functions has no leader, which is not told apart from a lock that is taken.
    """
    acquired = False
    started = time.monotonic()
    if connection is not None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT m10_recovery.acquire_lock(%s, %s, %s)", (lock_name, holder, ttl_seconds))
                acquired = cursor.fetchone()[0]
        except psycopg2.Error:
            acquired = False
    _count(client, f"lock_{'acquired' if acquired else 'failed'}:{lock_name}", 1)
    try:
        yield acquired
    finally:
        if acquired:
            with connection.cursor() as cursor:
                cursor.execute("SELECT m10_recovery.release_lock(%s, %s)", (lock_name, holder))
            _count(client, f"lock_released:{lock_name}", 1)
            _count(client, f"lock_seconds:{lock_name}", time.monotonic() - started)


def _count(client, field, amount):
    # A counter is never worth a failed job.
    try:
        client.hincrbyfloat(COUNTERS, field, amount)
    except redis.RedisError:
        pass
