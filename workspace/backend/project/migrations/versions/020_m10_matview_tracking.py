"""The list of the best pending candidates, and a record of when it was refreshed."""

from alembic import op

revision = "020_m10_matview_tracking"
down_revision = "019_m10_recovery_candidates"
branch_labels = None
depends_on = None

TOP_PENDING = """
CREATE MATERIALIZED VIEW m10_recovery.mv_top_pending AS
SELECT id AS candidate_id, failure_match_id, suggestion, confidence, occurrence_count, created_at
FROM public.recovery_candidates
WHERE decision = 'pending'
ORDER BY confidence * occurrence_count DESC, id
LIMIT 200
"""

REFRESH_LOG = """
CREATE TABLE m10_recovery.matview_refresh_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    view_name text NOT NULL,
    started_at timestamptz NOT NULL,
    completed_at timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    success boolean NOT NULL,
    error_message text
)
"""

# A view without any attempt has no row; the age counts from the last refresh that worked.
FRESHNESS = """
CREATE VIEW m10_recovery.matview_freshness AS
SELECT latest.view_name,
       done.last_refresh,
       extract(epoch FROM now() - done.last_refresh)::double precision AS age_seconds,
       latest.success AS last_success,
       latest.duration_ms AS last_duration_ms
FROM (
    SELECT DISTINCT ON (view_name) view_name, success, duration_ms
    FROM m10_recovery.matview_refresh_log
    ORDER BY view_name, id DESC
) AS latest
LEFT JOIN (
    SELECT view_name, max(completed_at) AS last_refresh
    FROM m10_recovery.matview_refresh_log
    WHERE success
    GROUP BY view_name
) AS done USING (view_name)
"""

REFRESH = """
CREATE FUNCTION m10_recovery.refresh_mv_tracked(p_view_name text)
RETURNS TABLE (success boolean, duration_ms integer, error text)
LANGUAGE plpgsql AS $$
DECLARE
    v_started timestamptz := clock_timestamp();
    v_error text;
    v_duration integer;
BEGIN
    BEGIN
        EXECUTE format('REFRESH MATERIALIZED VIEW CONCURRENTLY m10_recovery.%I', p_view_name);
    EXCEPTION WHEN OTHERS THEN
        v_error := SQLERRM;
    END;
    v_duration := (extract(epoch FROM clock_timestamp() - v_started) * 1000)::integer;
    INSERT INTO m10_recovery.matview_refresh_log
        (view_name, started_at, completed_at, duration_ms, success, error_message)
    VALUES (p_view_name, v_started, clock_timestamp(), v_duration, v_error IS NULL, v_error);
    RETURN QUERY SELECT v_error IS NULL, v_duration, v_error;
END
$$
"""


def upgrade():
    op.execute(TOP_PENDING)
    # REFRESH … CONCURRENTLY asks for a unique index without a condition.
    op.execute("CREATE UNIQUE INDEX uq_mv_top_pending ON m10_recovery.mv_top_pending (candidate_id)")
    op.execute(REFRESH_LOG)
    op.execute("CREATE INDEX idx_refresh_log_view ON m10_recovery.matview_refresh_log (view_name, id DESC)")
    op.execute(FRESHNESS)
    op.execute(REFRESH)


def downgrade():
    op.execute("DROP FUNCTION m10_recovery.refresh_mv_tracked(text)")
    op.execute("DROP VIEW m10_recovery.matview_freshness")
    op.execute("DROP TABLE m10_recovery.matview_refresh_log")
    op.execute("DROP MATERIALIZED VIEW m10_recovery.mv_top_pending")
