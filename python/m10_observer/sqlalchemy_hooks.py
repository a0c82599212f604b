"""SQLAlchemy's sessions and statements, with whatever driver."""

from .outside import forbid_outside
from .sessions import info_of, keep_settings, on_connected
from .statements import (
    ends_transaction,
    must_keep,
    on_carried,
    on_committing,
    on_ended,
    on_sent,
    on_statement,
)

POSTGRESQL_DRIVERS = ("psycopg2", "psycopg", "asyncpg", "pg8000")


def hook(observer):
    from sqlalchemy import event
    from sqlalchemy.engine import Engine
    from sqlalchemy.pool import Pool

    def do_connect(dialect, record, arguments, parameters):
        if dialect.name != "sqlite":
            forbid_outside(observer, "connects to a database")
        observer.busy.connecting = dialect.name
        if record is not None:
            record.info["m10_dialect"] = (dialect.name, dialect.driver)

    def connect(raw, record):
        observer.busy.connecting = None
        name, driver = record.info.pop("m10_dialect", None) or driver_of(raw)
        facts = getattr(raw, "_m10_facts", None)
        recorded = facts is not None
        if facts is None:
            observer.busy.inside = True
            try:
                facts = on_connected(observer, name, driver, raw)
            finally:
                observer.busy.inside = False
        record.info["m10"] = {**facts, "recorded": recorded}
        inner = getattr(raw, "driver_connection", None)
        if inner is not None:
            observer.asyncpg[id(inner)] = facts

    def before(connection, cursor, statement, parameters, context, executemany):
        facts = info_of(connection)
        observer.busy.inside = True
        if not facts.get("recorded"):
            style = connection.dialect.paramstyle
            autocommit = in_autocommit(connection)
            if must_keep(facts, autocommit):
                keep_settings(observer, facts, connection.connection)
            on_statement(observer, facts, statement, parameters, style, autocommit, executemany)
            if not observer.asking and ends_transaction(statement):
                on_committing(observer, facts)

    def after(connection, cursor, statement, parameters, context, executemany):
        observer.busy.inside = False
        facts = info_of(connection)
        if facts.get("recorded"):
            return
        if in_autocommit(connection):
            on_carried(observer, facts)
        elif not observer.asking:
            on_sent(observer, facts, statement)

    def failed(context):
        observer.busy.inside = False

    event.listen(Engine, "do_connect", do_connect)
    event.listen(Pool, "connect", connect)
    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", after)
    event.listen(Engine, "handle_error", failed)
    hook_ends(observer)


def hook_ends(observer):
    """Not SQLAlchemy's events: these come before a commit that may still fail, as for a deferred constraint."""
    from sqlalchemy.engine.default import DefaultDialect

    commit, rollback = DefaultDialect.do_commit, DefaultDialect.do_rollback

    def facts_of(pooled):
        try:
            info = getattr(pooled, "info", None)
        except NotImplementedError:
            # SQLAlchemy 2 has its dialect look at a first session past its pool.
            return None
        facts = info.get("m10") if isinstance(info, dict) else None
        return None if facts is None or facts["recorded"] else facts

    def ended(pooled, how):
        facts = facts_of(pooled)
        if facts is not None:
            on_ended(observer, facts, how)

    def do_commit(self, dbapi_connection):
        facts = facts_of(dbapi_connection)
        if facts is not None:
            on_committing(observer, facts)
        elif not observer.asking:
            observer.stop_if_refused()
        commit(self, dbapi_connection)
        ended(dbapi_connection, "commit")

    def do_rollback(self, dbapi_connection):
        rollback(self, dbapi_connection)
        ended(dbapi_connection, "rollback")

    DefaultDialect.do_commit = do_commit
    DefaultDialect.do_rollback = do_rollback


def driver_of(raw):
    """A project's `creator` makes connections without SQLAlchemy's dialect."""
    modules = {part for each in type(raw).__mro__ for part in each.__module__.split(".")}
    driver = next((name for name in POSTGRESQL_DRIVERS if name in modules), None)
    return ("postgresql", driver) if driver is not None else (None, None)


def in_autocommit(connection):
    raw = getattr(connection.connection, "dbapi_connection", None)
    return getattr(raw, "autocommit", False) is True
