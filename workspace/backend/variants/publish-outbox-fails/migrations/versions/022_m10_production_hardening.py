"""Leader election, replay log, archive of dead letters, transactional outbox. publish_outbox fails when called."""

from alembic import op

from migrations.hardening import create_functions, create_tables, drop_functions, drop_tables
from migrations.hardening.outbox import PENDING_KEY, PUBLISH

revision = "022_m10_production_hardening"
down_revision = "021_m10_durable_queue_fallback"
branch_labels = None
depends_on = None


def upgrade():
    create_tables()
    create_functions()
    # PostgreSQL looks at the statements in a function only when it runs: the mistake passes here.
    op.execute(PUBLISH.replace(f"ON CONFLICT {PENDING_KEY}", "ON CONFLICT ON CONSTRAINT uq_outbox_pending"))


def downgrade():
    drop_functions()
    drop_tables()
