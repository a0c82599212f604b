-- Time-limited ownership. The row outlives its owner, because the epoch must never go back:
-- it is the fencing token that a replica shows with each write it makes under the lease.
CREATE TABLE m10bot.leases (
  name text PRIMARY KEY,
  owner text NOT NULL,
  epoch bigint NOT NULL CHECK (epoch > 0),
  acquired_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);
