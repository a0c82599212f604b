"""Smoke tests of the locks by which workers elect their leader."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

ACQUIRE = "SELECT m10_recovery.acquire_lock(%s, %s, %s)"
RELEASE = "SELECT m10_recovery.release_lock(%s, %s)"
EXTEND = "SELECT m10_recovery.extend_lock(%s, %s, %s)"


class TestAcquire:
    def test_free_lock_is_given(self, db, own):
        assert db(ACQUIRE, own + "lock", "a", 60) == [(True,)]

    def test_held_lock_is_refused(self, db, own):
        db(ACQUIRE, own + "lock", "a", 60)
        assert db(ACQUIRE, own + "lock", "b", 60) == [(False,)]

    def test_own_lock_is_renewed(self, db, own):
        db(ACQUIRE, own + "lock", "a", 60)
        assert db(ACQUIRE, own + "lock", "a", 120) == [(True,)]

    def test_expired_lock_is_taken_over(self, db, own):
        db(ACQUIRE, own + "lock", "a", -1)
        assert db(ACQUIRE, own + "lock", "b", 60) == [(True,)]

    def test_default_time_is_ten_minutes(self, db, own):
        db("SELECT m10_recovery.acquire_lock(%s, %s)", own + "lock", "a")
        rows = db(
            "SELECT extract(epoch FROM expires_at - acquired_at)::int"
            " FROM m10_recovery.distributed_locks WHERE lock_name = %s",
            own + "lock",
        )
        assert rows == [(600,)]


class TestRelease:
    def test_holder_releases(self, db, own):
        db(ACQUIRE, own + "lock", "a", 60)
        assert db(RELEASE, own + "lock", "a") == [(True,)]
        assert db(ACQUIRE, own + "lock", "b", 60) == [(True,)]

    def test_stranger_does_not(self, db, own):
        db(ACQUIRE, own + "lock", "a", 60)
        assert db(RELEASE, own + "lock", "b") == [(False,)]


class TestExtend:
    def test_holder_extends(self, db, own):
        db(ACQUIRE, own + "lock", "a", 60)
        assert db(EXTEND, own + "lock", "a", 600) == [(True,)]

    def test_expired_lock_is_not_revived(self, db, own):
        db(ACQUIRE, own + "lock", "a", -1)
        assert db(EXTEND, own + "lock", "a", 600) == [(False,)]


class TestElection:
    def test_of_eight_at_once_one_wins(self, connect, db, own):
        connections = [connect() for _ in range(8)]

        def run(index):
            return db(ACQUIRE, own + "lock", f"worker-{index}", 60, on=connections[index])[0][0]

        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(run, range(8))) == [False] * 7 + [True]

    @pytest.mark.skipif("M10_STANDBY_URL" not in os.environ, reason="M10_STANDBY_URL names no standby server")
    def test_standby_refuses_elections(self, own):
        import psycopg2

        with psycopg2.connect(os.environ["M10_STANDBY_URL"]) as standby, standby.cursor() as cursor:
            with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
                cursor.execute(ACQUIRE, (own + "lock", "a", 60))


class TestCleanup:
    def test_expired_locks_go_and_held_ones_stay(self, db, own):
        db(ACQUIRE, own + "old", "a", -1)
        db(ACQUIRE, own + "held", "a", 60)
        assert db("SELECT m10_recovery.cleanup_expired_locks() >= 1") == [(True,)]
        names = db("SELECT lock_name FROM m10_recovery.distributed_locks WHERE lock_name LIKE %s", own + "%")
        assert names == [(own + "held",)]
