"""A second child of 022, made by a colleague who had not seen the first."""

from alembic import op

revision = "023_m10_lock_audit"
down_revision = "022_m10_production_hardening"
branch_labels = None
depends_on = None


def upgrade():
    op.execute(
        """
        CREATE TABLE m10_recovery.lock_audit (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            lock_name text NOT NULL,
            holder_id text NOT NULL,
            taken_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )


def downgrade():
    op.execute("DROP TABLE m10_recovery.lock_audit")
