-- Commands of one person in one channel take effect in the order in which they came. What shares a lane is handled one
-- after the other; what has none, such as a stop, waits for nobody. The order is that of arrival by the replica's clock
-- (microseconds of the epoch): statements that store deliveries overtake each other.
ALTER TABLE m10bot.inbox ADD COLUMN lane text, ADD COLUMN arrived bigint NOT NULL DEFAULT 0;
CREATE INDEX inbox_lanes ON m10bot.inbox (lane, arrived, id) WHERE state = 'waiting' AND lane IS NOT NULL;
