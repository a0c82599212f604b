"""Leader election, replay log, archive of dead letters, transactional outbox. Waits for every reader of work_queue."""

from alembic import op

from migrations.hardening import create_functions, create_tables, drop_functions, drop_tables

revision = "022_m10_production_hardening"
down_revision = "021_m10_durable_queue_fallback"
branch_labels = None
depends_on = None


def upgrade():
    create_tables()
    op.execute("LOCK TABLE m10_recovery.work_queue IN ACCESS EXCLUSIVE MODE")
    create_functions()


def downgrade():
    drop_functions()
    drop_tables()
