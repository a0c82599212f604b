import uuid
from contextlib import closing

import psycopg2
import pytest
import redis

from app.connect import database, redis_client

OWN_ROWS = (
    "DELETE FROM m10_recovery.distributed_locks WHERE lock_name LIKE %s",
    "DELETE FROM m10_recovery.replay_log WHERE original_msg_id LIKE %s",
    "DELETE FROM m10_recovery.dead_letter_archive WHERE dl_msg_id LIKE %s",
    "DELETE FROM m10_recovery.outbox WHERE aggregate_id LIKE %s",
)


@pytest.fixture
def own():
    """A prefix for names that this test alone uses; rows and keys with it are gone afterwards, also after a failure."""
    prefix = f"pytest:{uuid.uuid4().hex}:"
    yield prefix
    with closing(database()) as connection, connection.cursor() as cursor:
        for statement in OWN_ROWS:
            try:
                cursor.execute(statement, (prefix + "%",))
            except (psycopg2.errors.UndefinedTable, psycopg2.errors.InvalidSchemaName):
                pass  # the database is not at 022: the tests say so themselves
    try:
        client = redis_client()
        for key in client.scan_iter(prefix + "*"):
            client.delete(key)
    except redis.ConnectionError:
        pass


@pytest.fixture
def connect(own):
    """Opens connections in autocommit mode. They close before `own` deletes, so that no row is still locked."""
    opened = []

    def one():
        opened.append(database())
        return opened[-1]

    yield one
    for connection in opened:
        connection.close()


@pytest.fixture
def db(connect):
    """Runs a statement and gives back its rows."""
    connection = connect()

    def run(statement, *values, on=connection):
        with on.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    return run
