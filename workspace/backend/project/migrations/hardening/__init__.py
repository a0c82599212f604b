"""The SQL of revision 022, in pieces, so that a broken variant replaces one short revision file."""

from alembic import op

from migrations.hardening import dead_letters, locks, outbox

PIECES = (locks, dead_letters, outbox)


def tables():
    """CREATE statements of the four tables and their indexes, in order."""
    return [statement for piece in PIECES for statement in piece.TABLES]


def functions():
    """CREATE statements of the nine functions."""
    return [statement for piece in PIECES for statement in piece.FUNCTIONS]


def create_tables():
    for statement in tables():
        op.execute(statement)


def create_functions():
    for statement in functions():
        op.execute(statement)


def drop_functions():
    for piece in reversed(PIECES):
        for signature in piece.SIGNATURES:
            op.execute(f"DROP FUNCTION IF EXISTS m10_recovery.{signature}")


def drop_tables():
    for piece in reversed(PIECES):
        for name in piece.TABLE_NAMES:
            op.execute(f"DROP TABLE IF EXISTS m10_recovery.{name}")
