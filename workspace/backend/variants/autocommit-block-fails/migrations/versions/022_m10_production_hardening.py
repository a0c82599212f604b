"""Leader election, replay log, archive of dead letters, transactional outbox. Fails after leaving its transaction."""

from alembic import op

from migrations.hardening import create_tables, drop_functions, drop_tables

revision = "022_m10_production_hardening"
down_revision = "021_m10_durable_queue_fallback"
branch_labels = None
depends_on = None


def upgrade():
    create_tables()
    # Entering the block commits the tables; the unique index then meets duplicates and stays behind, invalid.
    with op.get_context().autocommit_block():
        op.execute("CREATE UNIQUE INDEX CONCURRENTLY uq_work_queue_priority ON m10_recovery.work_queue (priority)")


def downgrade():
    op.execute("DROP INDEX IF EXISTS m10_recovery.uq_work_queue_priority")
    drop_functions()
    drop_tables()
