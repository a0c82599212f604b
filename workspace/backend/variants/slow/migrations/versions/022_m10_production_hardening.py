"""Leader election, replay log, archive of dead letters, transactional outbox. Sleeps inside its transaction."""

import os

from alembic import context, op

from migrations.hardening import create_functions, create_tables, drop_functions, drop_tables

revision = "022_m10_production_hardening"
down_revision = "021_m10_durable_queue_fallback"
branch_labels = None
depends_on = None


def sleep_seconds():
    return float(os.environ.get("M10_BACKEND_SLEEP") or context.config.get_main_option("m10_sleep_seconds"))


def upgrade():
    create_tables()
    op.execute(f"SELECT pg_sleep({sleep_seconds():g})")
    create_functions()


def downgrade():
    drop_functions()
    drop_tables()
