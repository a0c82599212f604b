-- Takes the bot's journal away from the bot's own role: it may read it and append through m10bot.append, and can neither
-- change events nor switch their triggers off.
--
-- Run it as a superuser, or as a member of both roles, in the state database, after its tables were made and again after
-- each `m10bot state migrate`:
--
--   psql "$STATE_ADMIN_URL" -v owner=m10bot_owner -v bot=m10bot -f deploy/state-role.sql
--
-- Both roles exist before. The owner needs no login but for migrations:
--   STATE_DATABASE_URL=postgresql://m10bot_owner@…/m10bot_state m10bot state migrate
BEGIN;

ALTER SCHEMA m10bot OWNER TO :"owner";
REVOKE ALL ON SCHEMA m10bot FROM PUBLIC, :"bot";
GRANT USAGE ON SCHEMA m10bot TO :"bot";

SELECT set_config('m10bot.owner', :'owner', true);
DO $$
DECLARE
  v_owner text := current_setting('m10bot.owner');
  v_each record;
BEGIN
  FOR v_each IN
    SELECT oid::regclass AS name, relkind FROM pg_class
     WHERE relnamespace = 'm10bot'::regnamespace AND relkind IN ('r', 'p')
  LOOP
    EXECUTE format('ALTER TABLE %s OWNER TO %I', v_each.name, v_owner);
  END LOOP;
  FOR v_each IN
    SELECT class.oid::regclass AS name FROM pg_class AS class
     WHERE relnamespace = 'm10bot'::regnamespace AND relkind = 'S'
       -- A sequence of a column goes with its table.
       AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = class.oid AND deptype IN ('a', 'i'))
  LOOP
    EXECUTE format('ALTER SEQUENCE %s OWNER TO %I', v_each.name, v_owner);
  END LOOP;
  FOR v_each IN
    SELECT oid::regprocedure AS name FROM pg_proc WHERE pronamespace = 'm10bot'::regnamespace
  LOOP
    EXECUTE format('ALTER FUNCTION %s OWNER TO %I', v_each.name, v_owner);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_each.name);
  END LOOP;
  -- It writes with the owner's rights; a search path of the caller must not lend it other functions.
  FOR v_each IN
    SELECT oid::regprocedure AS name FROM pg_proc
     WHERE pronamespace = 'm10bot'::regnamespace AND proname = 'append'
  LOOP
    EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = pg_catalog, pg_temp', v_each.name);
  END LOOP;
END
$$;

-- What is no part of the journal the bot keeps as it likes.
REVOKE ALL ON ALL TABLES IN SCHEMA m10bot FROM PUBLIC, :"bot";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA m10bot TO :"bot";
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA m10bot TO :"bot";

REVOKE INSERT, UPDATE, DELETE ON m10bot.events, m10bot.journal_head, m10bot.migrations, m10bot.identity FROM :"bot";
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA m10bot TO :"bot";

COMMIT;
