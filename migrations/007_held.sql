-- What a channel does not take now: a lane of the publisher stands still for this channel, and goes on for the
-- others. What comes after `position` and belongs to the channel is posted, in order, once Slack takes it.
CREATE TABLE m10bot.held (
  lane text NOT NULL,
  channel text NOT NULL,
  position bigint NOT NULL CHECK (position >= 0),
  -- How many messages wait, and of which event the first of them tells.
  waiting integer NOT NULL CHECK (waiting >= 0),
  stream text NOT NULL,
  version bigint NOT NULL,
  -- What Slack said last, and how often it was asked.
  code text NOT NULL,
  tries integer NOT NULL CHECK (tries >= 0),
  since timestamptz(3) NOT NULL,
  PRIMARY KEY (lane, channel)
) WITH (fillfactor = 50);

-- Output files get a reader of their own, which begins where results in threads stand.
INSERT INTO m10bot.cursors (name, position, updated_at)
SELECT 'publisher.outputs', position, now() FROM m10bot.cursors WHERE name = 'publisher.thread';
