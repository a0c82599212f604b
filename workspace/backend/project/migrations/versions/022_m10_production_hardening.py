"""Leader election, replay log, archive of dead letters, transactional outbox."""

from migrations.hardening import create_functions, create_tables, drop_functions, drop_tables

revision = "022_m10_production_hardening"
down_revision = "021_m10_durable_queue_fallback"
branch_labels = None
depends_on = None


def upgrade():
    create_tables()
    create_functions()


def downgrade():
    drop_functions()
    drop_tables()
