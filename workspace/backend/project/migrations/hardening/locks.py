"""Locks with a time limit, by which workers elect their leader."""

TABLE_NAMES = ["distributed_locks"]

TABLES = [
    """
    CREATE TABLE IF NOT EXISTS m10_recovery.distributed_locks (
        lock_name text PRIMARY KEY,
        holder_id text NOT NULL,
        acquired_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz NOT NULL,
        metadata jsonb NOT NULL DEFAULT '{}'
    )
    """,
    "CREATE INDEX IF NOT EXISTS idx_distributed_locks_expires ON m10_recovery.distributed_locks (expires_at)",
]

# clock_timestamp(), not now(): a caller in a long transaction must not see time stand still.
ACQUIRE = """
CREATE OR REPLACE FUNCTION m10_recovery.acquire_lock(
    p_lock_name text, p_holder_id text, p_ttl_seconds integer DEFAULT 600
) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
BEGIN
    INSERT INTO m10_recovery.distributed_locks AS held (lock_name, holder_id, acquired_at, expires_at)
    VALUES (p_lock_name, p_holder_id, v_now, v_now + make_interval(secs => p_ttl_seconds))
    ON CONFLICT (lock_name) DO UPDATE
        SET holder_id = excluded.holder_id,
            acquired_at = excluded.acquired_at,
            expires_at = excluded.expires_at
        WHERE held.holder_id = excluded.holder_id OR held.expires_at <= v_now;
    RETURN FOUND;
END
$$
"""

RELEASE = """
CREATE OR REPLACE FUNCTION m10_recovery.release_lock(p_lock_name text, p_holder_id text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM m10_recovery.distributed_locks
    WHERE lock_name = p_lock_name AND holder_id = p_holder_id;
    RETURN FOUND;
END
$$
"""

# An expired lock is not revived: someone else may have worked in between.
EXTEND = """
CREATE OR REPLACE FUNCTION m10_recovery.extend_lock(
    p_lock_name text, p_holder_id text, p_ttl_seconds integer DEFAULT 600
) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE m10_recovery.distributed_locks
    SET expires_at = clock_timestamp() + make_interval(secs => p_ttl_seconds)
    WHERE lock_name = p_lock_name AND holder_id = p_holder_id AND expires_at > clock_timestamp();
    RETURN FOUND;
END
$$
"""

CLEANUP = """
CREATE OR REPLACE FUNCTION m10_recovery.cleanup_expired_locks() RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    v_count integer;
BEGIN
    DELETE FROM m10_recovery.distributed_locks WHERE expires_at <= clock_timestamp();
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END
$$
"""

FUNCTIONS = [ACQUIRE, RELEASE, EXTEND, CLEANUP]

SIGNATURES = [
    "acquire_lock(text, text, integer)",
    "release_lock(text, text)",
    "extend_lock(text, text, integer)",
    "cleanup_expired_locks()",
]
