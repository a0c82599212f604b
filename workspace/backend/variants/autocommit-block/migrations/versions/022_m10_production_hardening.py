"""Leader election, replay log, archive of dead letters, transactional outbox. Leaves its transaction half-way."""

from alembic import op

from migrations.hardening import create_functions, create_tables, drop_functions, drop_tables

revision = "022_m10_production_hardening"
down_revision = "021_m10_durable_queue_fallback"
branch_labels = None
depends_on = None

INDEX = "m10_recovery.idx_work_queue_candidate"


def upgrade():
    create_tables()
    # Entering the block commits what came before: a failure below leaves four tables at revision 021.
    with op.get_context().autocommit_block():
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_work_queue_candidate"
            " ON m10_recovery.work_queue (candidate_id)"
        )
    create_functions()


def downgrade():
    op.execute(f"DROP INDEX IF EXISTS {INDEX}")
    drop_functions()
    drop_tables()
