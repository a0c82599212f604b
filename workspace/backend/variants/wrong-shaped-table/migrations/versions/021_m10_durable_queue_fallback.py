"""A queue in PostgreSQL for the time when Redis cannot be reached, and a table left over from a hotfix."""

from pathlib import Path

from alembic import op

from migrations.work_queue import create_work_queue, drop_work_queue

revision = "021_m10_durable_queue_fallback"
down_revision = "020_m10_matview_tracking"
branch_labels = None
depends_on = None


def upgrade():
    create_work_queue()
    # 022 says CREATE TABLE IF NOT EXISTS, so it takes this table, which has no primary key, for its own.
    op.execute(Path(__file__).parents[1].joinpath("wrong_shaped_locks.sql").read_text())


def downgrade():
    op.execute("DROP TABLE IF EXISTS m10_recovery.distributed_locks")
    drop_work_queue()
