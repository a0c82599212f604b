"""What goes past SQLAlchemy to asyncpg itself; SQLAlchemy's own calls come here as well and are told apart."""

from .sessions import on_connected_async
from .statements import on_carried, on_ended, on_statement


def hook(observer, module):
    hook_connect(observer, module)
    for name in ("execute", "executemany", "fetch", "fetchval", "fetchrow", "copy_to_table", "copy_records_to_table"):
        hook_method(observer, module.connection.Connection, name)


def hook_connect(observer, module):
    """A connection of the migration's own is settled and recorded like SQLAlchemy's."""
    connect = module.connect

    async def connect_observed(*args, **kwargs):
        ours = getattr(observer.busy, "connecting", None) is None
        connection = await connect(*args, **kwargs)
        if observer.out is not None and ours:
            observer.asyncpg[id(connection)] = await on_connected_async(observer, "asyncpg", connection)
        return connection

    module.connect = connect_observed


def hook_method(observer, connection, name):
    method = getattr(connection, name, None)
    if method is None:
        return

    async def told(self, query, *args, **kwargs):
        facts = observer.asyncpg.get(id(self), {})
        end = end_of_transaction(query) if name == "execute" else None
        if end == "commit" and not observer.asking:
            observer.stop_if_refused()
        outside = not getattr(observer.busy, "inside", False) and not is_transaction_of_driver(query)
        alone = not self.is_in_transaction()
        if outside:
            text = query if name in ("execute", "executemany") or "fetch" in name else f"{name} {query}"
            on_statement(observer, facts, text, list(args) or None, "numeric", alone)
        result = await method(self, query, *args, **kwargs)
        if end is not None:
            on_ended(observer, facts, end)
        elif outside and alone:
            on_carried(observer, facts)
        return result

    setattr(connection, name, told)


def is_transaction_of_driver(query):
    return isinstance(query, str) and query.startswith(("BEGIN", "COMMIT;", "ROLLBACK;", "SAVEPOINT", "RELEASE"))


def end_of_transaction(query):
    """asyncpg ends its own transactions with exactly these."""
    return {"COMMIT;": "commit", "ROLLBACK;": "rollback"}.get(query) if isinstance(query, str) else None
