-- Runs of the periodic jobs: which ticks are taken, and what /m10 jobs and /m10 jobs log show. Not part of the
-- journal: there are thousands a day, and old ones are deleted.
CREATE TABLE m10bot.job_runs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  target text NOT NULL,
  job text NOT NULL,
  -- The moment of the schedule; null for a run that was started otherwise.
  tick timestamptz(3),
  trigger text NOT NULL CHECK (trigger IN ('schedule', 'made-up', 'hand', 'runbook')),
  by text,
  dry_run boolean NOT NULL,
  owner text NOT NULL,
  started_at timestamptz(3) NOT NULL,
  finished_at timestamptz(3),
  outcome text NOT NULL CHECK (outcome IN ('running', 'passed', 'failed', 'skipped', 'lost')),
  summary text NOT NULL,
  output text NOT NULL,
  advice text NOT NULL,
  counts jsonb NOT NULL
);

-- A tick is taken once, however many replicas there are.
CREATE UNIQUE INDEX job_runs_tick ON m10bot.job_runs (target, job, tick) WHERE tick IS NOT NULL;
CREATE INDEX job_runs_newest ON m10bot.job_runs (target, job, id DESC);
