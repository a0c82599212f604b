"""The same for psycopg (3): its synchronous connections. SQLAlchemy's events tell of the asynchronous ones."""

import contextlib

from .outside import forbid_outside
from .sessions import keep_settings, on_connected
from .statements import (
    Data,
    ends_transaction,
    must_keep,
    on_carried,
    on_committing,
    on_data,
    on_ended,
    on_sent,
    on_statement,
)

BROKEN = 3  # psycopg.pq.TransactionStatus.INERROR


def hook(observer, module):
    connect = module.Connection.connect.__func__

    def connect_observed(cls, *args, **kwargs):
        if observer.out is None:
            return connect(cls, *args, **kwargs)
        forbid_outside(observer, "connects to a database")
        dialect = getattr(observer.busy, "connecting", None)
        observer.busy.connecting = None
        raw = connect(cls, *args, **kwargs)
        facts = on_connected(observer, dialect or "postgresql", "psycopg", raw, dialect is None)
        record(observer, raw, facts)
        return raw

    module.Connection.connect = classmethod(connect_observed)
    module.connect = module.Connection.connect
    hook_cursors(observer, module)
    hook_read_only(observer, module)
    hook_asynchronous(observer, module)


def hook_asynchronous(observer, module):
    """A project's own asynchronous connection is not recorded: it is refused rather than let through unseen."""
    connect = module.AsyncConnection.connect.__func__

    async def connect_observed(cls, *args, **kwargs):
        inside = getattr(observer.busy, "connecting", None) is not None
        if observer.out is not None and not inside:
            observer.refuse("unobserved", name="psycopg.AsyncConnection")
        return await connect(cls, *args, **kwargs)

    module.AsyncConnection.connect = classmethod(connect_observed)


def hook_read_only(observer, module):
    """A session that was opened to read stays so."""
    plain = module.Connection.read_only
    later = module.AsyncConnection.set_read_only

    def set_read_only(self, value):
        plain.fset(self, value or observer.only_reads(facts_of(self)))

    async def set_read_only_async(self, value):
        await later(self, value or observer.only_reads(None))

    module.Connection.read_only = property(plain.fget, set_read_only)
    module.AsyncConnection.set_read_only = set_read_only_async


def facts_of(raw):
    return getattr(raw, "_m10_facts", None)


def record(observer, raw, facts):
    raw._m10_facts = facts
    commit, rollback = raw.commit, raw.rollback

    def commit_observed():
        on_committing(observer, facts)
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
        outermost = is_idle(raw)
        made = transaction(*args, **kwargs)
        how = "rollback"
        try:
            with made as inner:
                yield inner
                if outermost:
                    on_committing(observer, facts)
                how = "commit"
        finally:
            if outermost and not raw.closed and is_idle(raw):
                on_ended(observer, facts, how)

    return transaction_observed


def is_idle(raw):
    return int(raw.info.transaction_status) == 0


def hook_cursors(observer, module):
    """On the classes themselves: a project makes cursors past its connection, too (`ClientCursor(connection)`)."""
    for cursor in (module.Cursor, module.ServerCursor):
        for name, hooked in (("execute", executing), ("executemany", executing_many), ("copy", copying), ("stream", streaming)):
            method = cursor.__dict__.get(name)
            if method is not None:
                setattr(cursor, name, hooked(observer, method))


class Sending:
    """One call of a cursor; nested ones (a server's cursor executes by a client's) are the call's own."""

    def __init__(self, observer, cursor):
        self.observer, self.cursor, self.raw = observer, cursor, cursor.connection
        self.facts = facts_of(self.raw)
        self.seen = self.facts is not None and not observer.asking and not self.facts.get("sending")

    def begin(self, query, rows):
        """Returns whether the statement is a transaction of its own."""
        text = self.text_of(query)
        idle = is_idle(self.raw)
        if must_keep(self.facts, idle, int(self.raw.info.transaction_status) == BROKEN):
            keep_settings(self.observer, self.facts, self.raw)
        alone = self.raw.autocommit and idle
        for row in rows:
            on_statement(self.observer, self.facts, text, row, "pyformat", alone)
        if ends_transaction(text):
            on_committing(self.observer, self.facts)
        return alone

    def end(self, alone, query, many=False):
        if alone:
            on_carried(self.observer, self.facts)
        elif not many:
            tag = self.cursor.statusmessage
            on_sent(self.observer, self.facts, self.text_of(query), tag, is_idle(self.raw))

    def text_of(self, query):
        return query if isinstance(query, (bytes, str)) else query.as_string(self.raw)

    @contextlib.contextmanager
    def at_work(self):
        self.facts["sending"] = True
        try:
            yield
        finally:
            self.facts["sending"] = False


def executing(observer, method):
    def execute(self, query, params=None, **kwargs):
        sending = Sending(observer, self)
        if not sending.seen:
            return method(self, query, params, **kwargs)
        alone = sending.begin(query, [params])
        with sending.at_work():
            result = method(self, query, params, **kwargs)
        sending.end(alone, query)
        return result

    return execute


def executing_many(observer, method):
    def executemany(self, query, params_seq, **kwargs):
        sending = Sending(observer, self)
        rows = list(params_seq)
        if not sending.seen:
            return method(self, query, rows, **kwargs)
        alone = sending.begin(query, rows)
        with sending.at_work():
            result = method(self, query, rows, **kwargs)
        sending.end(alone, query, many=True)
        return result

    return executemany


def copying(observer, method):
    @contextlib.contextmanager
    def copy(self, statement, params=None, **kwargs):
        sending = Sending(observer, self)
        if not sending.seen:
            with method(self, statement, params, **kwargs) as copied:
                yield copied
            return
        alone = sending.begin(statement, [params])
        data = Data()
        with method(self, statement, params, **kwargs) as copied:
            write, write_row = copied.write, copied.write_row
            copied.write = lambda part: write(data.add(part))
            copied.write_row = lambda row: write_row(data.add(repr(tuple(row))) and row)
            yield copied
        on_data(observer, sending.facts, data)
        if alone:
            on_carried(observer, sending.facts)

    return copy


def streaming(observer, method):
    def stream(self, query, params=None, **kwargs):
        sending = Sending(observer, self)
        if sending.seen:
            sending.begin(query, [params])
        return method(self, query, params, **kwargs)

    return stream
