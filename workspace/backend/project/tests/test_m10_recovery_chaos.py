"""Chaos tests: workers that die, retries that come twice, queues that fill."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.connect import redis_client

PUBLISH = "SELECT m10_recovery.publish_outbox('pytest', %s, %s, '{\"n\": 1}')"
CLAIM = "SELECT event_id, aggregate_id FROM m10_recovery.claim_outbox_events(%s, 100000)"
REPLAY = "SELECT * FROM m10_recovery.record_replay(%s, %s, NULL, NULL, %s, 'pytest')"


def claimed(db, connection, processor, own):
    """Ids of this test's events alone: the database may hold others."""
    return [event for event, aggregate in db(CLAIM, processor, on=connection) if aggregate.startswith(own)]


class TestWorkerCrash:
    def test_claim_of_a_killed_worker_is_free_again(self, connect, db, own):
        db(PUBLISH, own + "order", "http:test")
        worker, other = connect(), connect()
        worker.autocommit = False
        other.autocommit = False
        assert len(claimed(db, worker, "dies", own)) == 1
        assert claimed(db, other, "waits", own) == []
        backend = worker.get_backend_pid()
        assert db("SELECT pg_terminate_backend(%s, 2000)", backend) == [(True,)]
        assert len(claimed(db, other, "waits", own)) == 1

    def test_failed_delivery_waits_for_its_retry(self, connect, db, own):
        event = db(PUBLISH, own + "order", "http:test")[0][0]
        db("SELECT m10_recovery.complete_outbox_event(%s, 'pytest', false, 'HTTP 503', 3600)", event)
        worker = connect()
        worker.autocommit = False
        assert claimed(db, worker, "early", own) == []

    def test_completed_event_is_not_completed_twice(self, db, own):
        event = db(PUBLISH, own + "order", "http:test")[0][0]
        complete = "SELECT m10_recovery.complete_outbox_event(%s, 'pytest', true)"
        assert db(complete, event) == [(True,)]
        assert db(complete, event) == [(False,)]


class TestReplay:
    def test_eight_replays_at_once_are_one(self, connect, db, own):
        connections = [connect() for _ in range(8)]

        def run(index):
            return db(REPLAY, own + "message", f"dl-{index}", f"new-{index}", on=connections[index])[0]

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(run, range(8)))
        assert sorted(already for already, _ in answers) == [False] + [True] * 7
        assert len({replay_id for _, replay_id in answers}) == 1

    def test_dead_letter_is_archived_once(self, db, own):
        archive = (
            "SELECT m10_recovery.archive_dead_letter(%s, 'original', NULL, NULL, '{}', 'pytest', 3, now(), 'pytest')"
        )
        assert db(archive, own + "dl") == db(archive, own + "dl")


class TestStreams:
    def test_message_of_a_dead_consumer_is_claimed(self, own):
        client, stream = redis_client(), own + "stream"
        client.xgroup_create(stream, "workers", id="0", mkstream=True)
        message = client.xadd(stream, {"candidate_id": "1"})
        client.xreadgroup("workers", "dead", {stream: ">"})
        assert [id for id, _ in client.xclaim(stream, "workers", "alive", 0, [message])] == [message]
        assert client.xack(stream, "workers", message) == 1

    @pytest.mark.skipif("M10_REDIS_REPLICA_URL" not in os.environ, reason="M10_REDIS_REPLICA_URL names no replica")
    def test_replica_holds_the_stream(self, own):
        import redis

        client, stream = redis_client(), own + "stream"
        client.xadd(stream, {"candidate_id": "1"})
        client.wait(1, 1000)
        assert redis.Redis.from_url(os.environ["M10_REDIS_REPLICA_URL"]).xlen(stream) == 1


class TestHighVolume:
    def test_four_workers_drain_two_thousand_events(self, connect, db, own):
        publish_many = (
            "SELECT count(m10_recovery.publish_outbox('pytest', %s || n, 'http:test', '{}'))"
            " FROM generate_series(1, 2000) AS n"
        )
        assert db(publish_many, own) == [(2000,)]
        foreign = db("SELECT count(*) FROM m10_recovery.outbox WHERE aggregate_id NOT LIKE %s", own + "%")[0][0]
        connections = [connect() for _ in range(4)]
        # One statement is one transaction: what it claims, it completes.
        complete = (
            "SELECT count(*) FILTER (WHERE m10_recovery.complete_outbox_event(event_id, %s, true))"
            " FROM m10_recovery.claim_outbox_events(%s, %s) WHERE aggregate_id LIKE %s"
        )

        def work(index):
            name, done = f"worker-{index}", 0
            while True:
                count = db(complete, name, name, foreign + 250, own + "%", on=connections[index])[0][0]
                if count == 0:
                    return done
                done += count

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(work, range(4))) == 2000
        left = "SELECT count(*) FROM m10_recovery.outbox WHERE aggregate_id LIKE %s AND processed_at IS NULL"
        assert db(left, own + "%") == [(0,)]
