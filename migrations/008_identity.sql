-- Which state database this is: a name that no other database gets, so that files which were written for another one
-- are told apart, although both give out the same numbers for runs.
CREATE TABLE m10bot.identity (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  made_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 10);

INSERT INTO m10bot.identity DEFAULT VALUES;

-- The state directories that replicas work in: a record of a child proves something to the directory's own bot alone.
CREATE TABLE m10bot.directories (
  id uuid PRIMARY KEY,
  host text NOT NULL,
  path text NOT NULL,
  bound_at timestamptz(3) NOT NULL DEFAULT clock_timestamp(),
  started_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
);
