-- The journal: append-only events, at once the state of every run and the audit trail.
CREATE TABLE m10bot.events (
  position bigint PRIMARY KEY CHECK (position > 0),
  stream text NOT NULL CHECK (stream <> ''),
  version integer NOT NULL CHECK (version > 0),
  type text NOT NULL,
  data jsonb NOT NULL,
  actor text,
  at timestamptz(3) NOT NULL,
  hash text NOT NULL,
  UNIQUE (stream, version)
);

-- Lists streams newest first without touching their events: one entry per stream, by its first event.
CREATE INDEX events_newest_stream ON m10bot.events (position) WHERE version = 1;
CREATE INDEX events_newest_stream_of_kind ON m10bot.events (split_part(stream, ':', 1), position)
  WHERE version = 1;

-- One row: where the chain ends. Its row lock puts appends in one order, so positions have no gaps.
CREATE TABLE m10bot.journal_head (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  position bigint NOT NULL,
  hash text NOT NULL
) WITH (fillfactor = 10);

INSERT INTO m10bot.journal_head (position, hash) VALUES (0, repeat('0', 64));

CREATE FUNCTION m10bot.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the journal is append-only: % on %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege',
          HINT = 'Correct a wrong event by appending another one.';
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON m10bot.events
  FOR EACH STATEMENT EXECUTE FUNCTION m10bot.refuse_change();
CREATE TRIGGER head_stays BEFORE DELETE OR TRUNCATE ON m10bot.journal_head
  FOR EACH STATEMENT EXECUTE FUNCTION m10bot.refuse_change();

-- ALWAYS: also in sessions that run with session_replication_role = replica.
ALTER TABLE m10bot.events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE m10bot.journal_head ENABLE ALWAYS TRIGGER head_stays;

-- Appends events at expected versions, all or nothing, in one round trip. It is a function for one reason:
-- the head lock is then never held across the network, so a replica that is paused or cut off in the
-- middle of an append cannot stop the others.
--
-- Element i of the arrays is one event. p_data holds RFC 8785 text, made by the caller. An element whose
-- type is NULL only asserts that its stream stands at p_versions[i] - 1.
--
-- hash = sha256 of the event's own RFC 8785 text, which includes the hash of the event before.
CREATE FUNCTION m10bot.append(
  p_streams text[], p_versions integer[], p_types text[], p_actors text[], p_data text[],
  p_lease text, p_owner text, p_epoch bigint, p_at timestamptz
) RETURNS TABLE (appended_position bigint, appended_at text, appended_hash text)
LANGUAGE plpgsql AS $$
DECLARE
  v_first bigint;
  v_position bigint;
  v_hash text;
  v_actual integer;
  v_at timestamptz;
  v_at_text text;
BEGIN
  SELECT head.position, head.hash INTO STRICT v_position, v_hash
    FROM m10bot.journal_head AS head FOR UPDATE;
  v_first := v_position;

  -- Milliseconds, because the hash covers the time and JavaScript's Date keeps no more.
  v_at := date_trunc('milliseconds', coalesce(p_at, clock_timestamp()));
  v_at_text := to_char(v_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

  -- FOR SHARE: nobody can take the lease over until this append is committed.
  IF p_lease IS NOT NULL THEN
    PERFORM FROM m10bot.leases AS lease
      WHERE lease.name = p_lease AND lease.owner = p_owner AND lease.epoch = p_epoch
        AND lease.expires_at > clock_timestamp()
      FOR SHARE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'lease % is not held by % at epoch %', p_lease, p_owner, p_epoch
        USING ERRCODE = 'M1002';
    END IF;
  END IF;

  FOR i IN 1 .. cardinality(p_streams) LOOP
    SELECT coalesce(max(event.version), 0) INTO v_actual
      FROM m10bot.events AS event WHERE event.stream = p_streams[i];
    IF v_actual <> p_versions[i] - 1 THEN
      RAISE EXCEPTION 'stream % is at version %, not %', p_streams[i], v_actual, p_versions[i] - 1
        USING ERRCODE = 'M1001',
              DETAIL = json_build_object(
                'stream', p_streams[i], 'expected', p_versions[i] - 1, 'actual', v_actual)::text;
    END IF;
    CONTINUE WHEN p_types[i] IS NULL;

    v_position := v_position + 1;
    v_hash := encode(sha256(convert_to(
      '{"actor":' || coalesce(to_json(p_actors[i])::text, 'null')
      || ',"at":"' || v_at_text
      || '","data":' || p_data[i]
      || ',"position":' || v_position
      || ',"previous":"' || v_hash
      || '","stream":' || to_json(p_streams[i])::text
      || ',"type":' || to_json(p_types[i])::text
      || ',"version":' || p_versions[i] || '}', 'UTF8')), 'hex');

    INSERT INTO m10bot.events (position, stream, version, type, data, actor, at, hash)
      VALUES (v_position, p_streams[i], p_versions[i], p_types[i], p_data[i]::jsonb, p_actors[i], v_at, v_hash);
    appended_position := v_position;
    appended_at := v_at_text;
    appended_hash := v_hash;
    RETURN NEXT;
  END LOOP;

  IF v_position > v_first THEN
    UPDATE m10bot.journal_head AS head SET position = v_position, hash = v_hash;
    PERFORM pg_notify('m10bot_journal', v_position::text);
  END IF;
END
$$;
