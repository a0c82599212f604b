"""Runs the revisions against DATABASE_URL, in one transaction, or prints their SQL with --sql."""

import os
from logging.config import fileConfig

from alembic import context
from alembic.util import CommandError
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

fileConfig(context.config.config_file_name)


def database_url():
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        raise CommandError("DATABASE_URL is not set")
    # SQLAlchemy 1.4 knows the short scheme no more, while many tools still hand it out.
    if url.startswith("postgres://"):
        return "postgresql://" + url[len("postgres://"):]
    return url


def run_offline():
    # Printing SQL needs no server: only the dialect matters.
    context.configure(
        dialect_name="postgresql",
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_online():
    # libpq reads PGOPTIONS and PGAPPNAME itself, so a caller can set lock_timeout or name the session.
    engine = create_engine(database_url(), poolclass=NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, transactional_ddl=True)
        with context.begin_transaction():
            context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
