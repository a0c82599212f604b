-- Messages that stand in Slack, by what they show ("run:7:card"), so that they can be updated in place.
CREATE TABLE m10bot.posted (
  key text PRIMARY KEY,
  channel text NOT NULL,
  ts text NOT NULL,
  hash text NOT NULL,
  position bigint NOT NULL,
  updated_at timestamptz(3) NOT NULL
);

-- Lets a prefix be found in any collation.
CREATE INDEX posted_prefix ON m10bot.posted (key text_pattern_ops);

-- How far each reader of the journal has come.
CREATE TABLE m10bot.cursors (
  name text PRIMARY KEY,
  position bigint NOT NULL CHECK (position >= 0),
  updated_at timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE SEQUENCE m10bot.run_number;
