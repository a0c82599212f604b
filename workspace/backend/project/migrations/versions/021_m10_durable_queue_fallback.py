"""A queue in PostgreSQL for the time when Redis cannot be reached."""

from migrations.work_queue import create_work_queue, drop_work_queue

revision = "021_m10_durable_queue_fallback"
down_revision = "020_m10_matview_tracking"
branch_labels = None
depends_on = None


def upgrade():
    create_work_queue()


def downgrade():
    drop_work_queue()
