-- What Slack delivered, stored before it is acknowledged. The key is Slack's own delivery identity.
CREATE TABLE m10bot.inbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key text NOT NULL UNIQUE,
  kind text NOT NULL,
  payload jsonb NOT NULL,
  state text NOT NULL CHECK (state IN ('waiting', 'done', 'dead')),
  deliveries integer NOT NULL DEFAULT 1,
  attempts integer NOT NULL DEFAULT 0,
  owner text,
  -- A claimed item stays 'waiting' and merely becomes visible later, so a crashed worker's item comes back.
  visible_at timestamptz NOT NULL,
  error text,
  received_at timestamptz NOT NULL,
  finished_at timestamptz
);

CREATE INDEX inbox_waiting ON m10bot.inbox (visible_at, id) WHERE state = 'waiting';
CREATE INDEX inbox_dead ON m10bot.inbox (id) WHERE state = 'dead';
CREATE INDEX inbox_done ON m10bot.inbox (finished_at) WHERE state = 'done';
