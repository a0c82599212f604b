"""Leader election, replay log, archive of dead letters, transactional outbox. Fails after two tables."""

from alembic import op

from migrations.hardening import create_functions, create_tables, drop_functions, drop_tables, tables
from migrations.hardening.locks import TABLES as LOCK_TABLES

revision = "022_m10_production_hardening"
down_revision = "021_m10_durable_queue_fallback"
branch_labels = None
depends_on = None


def upgrade():
    for statement in LOCK_TABLES + tables()[len(LOCK_TABLES):len(LOCK_TABLES) + 1]:
        op.execute(statement)
    op.execute("ALTER TABLE m10_recovery.replay_log ADD COLUMN origin m10_recovery.origin_kind")
    create_tables()
    create_functions()


def downgrade():
    drop_functions()
    drop_tables()
