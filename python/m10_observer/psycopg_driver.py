"""The same for psycopg (3): its synchronous connections. SQLAlchemy's events tell of the asynchronous ones."""

import contextlib

from .sessions import on_connected
from .statements import on_carried, on_ended, on_sent, on_statement


def hook(observer, module):
    connect = module.Connection.connect.__func__

    def connect_observed(cls, *args, **kwargs):
        if observer.out is None:
            return connect(cls, *args, **kwargs)
        dialect = getattr(observer.busy, "connecting", None)
        observer.busy.connecting = None
        raw = connect(cls, *args, **kwargs)
        facts = on_connected(observer, dialect or "postgresql", "psycopg", raw, dialect is None)
        record(observer, raw, facts)
        return raw

    module.Connection.connect = classmethod(connect_observed)
    module.connect = module.Connection.connect
    hook_asynchronous(observer, module)


def hook_asynchronous(observer, module):
    """A migration's own asynchronous connection is not recorded: it is refused rather than let through unseen."""
    connect = module.AsyncConnection.connect.__func__

    async def connect_observed(cls, *args, **kwargs):
        inside = getattr(observer.busy, "connecting", None) is not None
        if observer.out is not None and not inside and observer.mode == "migrate":
            observer.refuse("unobserved", name="psycopg.AsyncConnection")
        return await connect(cls, *args, **kwargs)

    module.AsyncConnection.connect = classmethod(connect_observed)


def record(observer, raw, facts):
    raw._m10_facts = facts
    raw.cursor_factory = observed_cursor(observer, facts, raw.cursor_factory)
    raw.server_cursor_factory = observed_cursor(observer, facts, raw.server_cursor_factory)
    commit, rollback = raw.commit, raw.rollback

    def commit_observed():
        if not observer.asking:
            observer.stop_if_refused()
        commit()
        on_ended(observer, facts, "commit")

    def rollback_observed():
        rollback()
        on_ended(observer, facts, "rollback")

    raw.commit, raw.rollback = commit_observed, rollback_observed
    raw.transaction = transactions_of(observer, facts, raw)


def transactions_of(observer, facts, raw):
    """`with connection.transaction()` commits past the connection's own commit."""
    transaction = raw.transaction

    @contextlib.contextmanager
    def transaction_observed(*args, **kwargs):
        outermost = int(raw.info.transaction_status) == 0
        made = transaction(*args, **kwargs)
        how = "rollback"
        try:
            with made as inner:
                yield inner
                if not observer.asking:
                    observer.stop_if_refused()
                how = "commit"
        finally:
            if outermost and not raw.closed and int(raw.info.transaction_status) == 0:
                on_ended(observer, facts, how)

    return transaction_observed


def observed_cursor(observer, facts, base):
    class Cursor(base):
        def _m10_tell(self, query, params):
            """Returns whether the statement is a transaction of its own."""
            alone = self.connection.autocommit and self._m10_idle()
            on_statement(observer, facts, self._m10_text(query), params, "pyformat", alone)
            return alone

        def _m10_text(self, query):
            return query if isinstance(query, (bytes, str)) else query.as_string(self)

        def _m10_idle(self):
            return int(self.connection.info.transaction_status) == 0

        def _m10_sent(self, alone, query):
            if alone:
                on_carried(observer, facts)
            elif not observer.asking:
                on_sent(observer, facts, self._m10_text(query), self.statusmessage, self._m10_idle())

        def execute(self, query, params=None, **kwargs):
            alone = self._m10_tell(query, params)
            result = super().execute(query, params, **kwargs)
            self._m10_sent(alone, query)
            return result

        def executemany(self, query, params_seq, **kwargs):
            rows = list(params_seq)
            alone = [self._m10_tell(query, row) for row in rows]
            result = super().executemany(query, rows, **kwargs)
            if any(alone):
                on_carried(observer, facts)
            return result

        @contextlib.contextmanager
        def copy(self, statement, params=None, **kwargs):
            alone = self._m10_tell(statement, params)
            with super().copy(statement, params, **kwargs) as copied:
                yield copied
            if alone:
                on_carried(observer, facts)

        def stream(self, query, params=None, **kwargs):
            self._m10_tell(query, params)
            return super().stream(query, params, **kwargs)

    return Cursor
