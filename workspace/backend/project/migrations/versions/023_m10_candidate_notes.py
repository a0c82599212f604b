"""Notes that people leave on a candidate."""

from alembic import op

revision = "023_m10_candidate_notes"
down_revision = "022_m10_production_hardening"
branch_labels = None
depends_on = None


def upgrade():
    op.execute(
        """
        CREATE TABLE m10_recovery.candidate_notes (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            candidate_id integer NOT NULL REFERENCES public.recovery_candidates (id),
            author text NOT NULL,
            body text NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )


def downgrade():
    op.execute("DROP TABLE m10_recovery.candidate_notes")
