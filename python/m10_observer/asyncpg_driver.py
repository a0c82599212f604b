"""What goes past SQLAlchemy to asyncpg itself; SQLAlchemy's own calls come here as well and are told apart."""

from .outside import forbid_outside
from .sessions import keep_settings_async, on_connected_async
from .statements import must_keep, on_carried, on_committing, on_ended, on_statement

SENDING = ("execute", "executemany", "fetch", "fetchval", "fetchrow", "fetchmany")
COPYING = ("copy_to_table", "copy_records_to_table", "copy_from_query")


def hook(observer, module):
    hook_connect(observer, module)
    for name in (*SENDING, *COPYING):
        hook_method(observer, module.connection.Connection, name)
    for name in SENDING:
        hook_prepared(observer, module.prepared_stmt.PreparedStatement, name)
    hook_cursor(observer, module.connection.Connection, lambda self: self)
    hook_cursor(observer, module.prepared_stmt.PreparedStatement, lambda self: self._connection)


def hook_connect(observer, module):
    """A connection of the migration's own is settled and recorded like SQLAlchemy's; pools call the inner one."""
    connect = module.connection.connect

    async def connect_observed(*args, **kwargs):
        ours = getattr(observer.busy, "connecting", None) is None
        if ours:
            forbid_outside(observer, "connects to a database")
        connection = await connect(*args, **kwargs)
        if observer.out is not None and ours:
            observer.asyncpg[id(connection)] = await on_connected_async(observer, "asyncpg", connection)
        return connection

    module.connection.connect = connect_observed
    module.connect = connect_observed


def is_outside(observer, query):
    return not getattr(observer.busy, "inside", False) and not is_transaction_of_driver(query)


async def before(observer, connection, text, arguments):
    """Reports what is about to be sent. Returns the session's facts and whether it is a transaction of its own."""
    facts = facts_of(observer, connection)
    alone = not connection.is_in_transaction()
    if must_keep(facts, alone):
        await keep_settings_async(observer, facts, connection)
    on_statement(observer, facts, text, list(arguments) or None, "numeric", alone)
    return facts, alone


def facts_of(observer, connection):
    # A pool lends its connections behind a face of their own.
    inner = getattr(connection, "_con", None) or connection
    return observer.asyncpg.get(id(inner), {})


def hook_method(observer, connection, name):
    method = getattr(connection, name, None)
    if method is None:
        return

    async def told(self, query, *args, **kwargs):
        end = end_of_transaction(query) if name == "execute" else None
        facts = facts_of(observer, self)
        if end == "commit":
            on_committing(observer, facts)
        outside, alone = is_outside(observer, query), False
        if outside and not observer.asking:
            text = query if name in SENDING else f"/* {name} */ {query}"
            facts, alone = await before(observer, self, text, args)
        result = await method(self, query, *args, **kwargs)
        if end is not None:
            on_ended(observer, facts, end)
        elif outside and alone:
            on_carried(observer, facts)
        return result

    setattr(connection, name, told)


def hook_prepared(observer, prepared, name):
    method = getattr(prepared, name, None)
    if method is None:
        return

    async def told(self, *args, **kwargs):
        query = self.get_query()
        if not is_outside(observer, query) or observer.asking:
            return await method(self, *args, **kwargs)
        facts, alone = await before(observer, self._connection, query, args)
        result = await method(self, *args, **kwargs)
        if alone:
            on_carried(observer, facts)
        return result

    setattr(prepared, name, told)


def hook_cursor(observer, kind, connection_of):
    """A cursor needs a transaction, whose end tells what became of it."""
    cursor = kind.cursor

    def told(self, *args, **kwargs):
        query = self.get_query() if hasattr(self, "get_query") else args[0]
        if is_outside(observer, query) and not observer.asking:
            facts = facts_of(observer, connection_of(self))
            on_statement(observer, facts, query, None, "numeric", False)
        return cursor(self, *args, **kwargs)

    kind.cursor = told


def is_transaction_of_driver(query):
    return isinstance(query, str) and query.startswith(("BEGIN", "COMMIT;", "ROLLBACK;", "SAVEPOINT", "RELEASE"))


def end_of_transaction(query):
    """asyncpg ends its own transactions with exactly these."""
    return {"COMMIT;": "commit", "ROLLBACK;": "rollback"}.get(query) if isinstance(query, str) else None
