"""Leader election, replay log, archive of dead letters, transactional outbox. Also rewrites older tables."""

from alembic import op

from migrations.hardening import create_functions, create_tables, drop_functions, drop_tables

revision = "022_m10_production_hardening"
down_revision = "021_m10_durable_queue_fallback"
branch_labels = None
depends_on = None


def upgrade():
    create_tables()
    create_functions()
    # Works while the log is empty, as on a young staging, and fails on the first row anywhere else.
    op.execute("ALTER TABLE m10_recovery.matview_refresh_log ADD COLUMN requested_by text NOT NULL")
    # Rewrites the table under an exclusive lock.
    op.execute("ALTER TABLE m10_recovery.work_queue ALTER COLUMN priority TYPE bigint")
    op.execute("ALTER TABLE m10_recovery.work_queue ALTER COLUMN priority SET NOT NULL")
    op.execute("CREATE INDEX idx_work_queue_candidate ON m10_recovery.work_queue (candidate_id)")


def downgrade():
    op.execute("DROP INDEX m10_recovery.idx_work_queue_candidate")
    op.execute("ALTER TABLE m10_recovery.work_queue ALTER COLUMN priority DROP NOT NULL")
    op.execute("ALTER TABLE m10_recovery.work_queue ALTER COLUMN priority TYPE integer")
    op.execute("ALTER TABLE m10_recovery.matview_refresh_log DROP COLUMN requested_by")
    drop_functions()
    drop_tables()
