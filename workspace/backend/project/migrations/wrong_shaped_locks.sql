-- What a hasty fix by hand may have left behind: the right name, but no primary key and no metadata.
CREATE TABLE m10_recovery.distributed_locks (
    lock_name text,
    holder_id text,
    acquired_at timestamptz DEFAULT now(),
    expires_at timestamptz
)
