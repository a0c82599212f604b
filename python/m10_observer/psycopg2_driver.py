"""psycopg2's own connections and cursors: what does not go through SQLAlchemy is seen as well."""

from .sessions import on_connected
from .statements import on_carried, on_ended, on_sent, on_statement

IDLE = 0  # psycopg2.extensions.TRANSACTION_STATUS_IDLE


def hook(observer, module):
    """Every connection is settled and recorded as it is made, whoever makes it."""
    connect = module.connect

    def connect_observed(*args, **kwargs):
        if observer.out is None:
            return connect(*args, **kwargs)
        if len(args) > 1:
            names = ("connection_factory", "cursor_factory")
            kwargs.update(zip(names, args[1:]))
            args = args[:1]
        kwargs["connection_factory"] = observed_connection(observer, kwargs.get("connection_factory"))
        dialect = getattr(observer.busy, "connecting", None)
        observer.busy.connecting = None
        raw = connect(*args, **kwargs)
        raw._m10_facts = on_connected(observer, dialect or "postgresql", "psycopg2", raw, dialect is None)
        return raw

    module.connect = connect_observed


def observed_connection(observer, base):
    import psycopg2.extensions

    # Below the project's class, so that what that class decides (its own kind of cursor) stays as it is.
    class Bottom(psycopg2.extensions.connection):
        _m10_facts = None

        def cursor(self, *args, **kwargs):
            if len(args) > 1:
                kwargs["cursor_factory"] = args[1]
                args = args[:1]
            if self._m10_facts is not None:
                base = kwargs.get("cursor_factory") or self.cursor_factory or psycopg2.extensions.cursor
                kwargs["cursor_factory"] = observed_cursor(observer, base)
            return super().cursor(*args, **kwargs)

        def commit(self):
            if not observer.asking:
                observer.stop_if_refused()
            super().commit()
            on_ended(observer, self._m10_facts or {}, "commit")

        def rollback(self):
            super().rollback()
            on_ended(observer, self._m10_facts or {}, "rollback")

    if base is None or base is psycopg2.extensions.connection:
        return Bottom
    return type("Connection", (base, Bottom), {})


def observed_cursor(observer, base):
    if getattr(base, "_m10", False):
        return base

    class Cursor(base):
        _m10 = True

        def _m10_send(self, shown, send):
            """Reports (sql, parameters) rows, sends them, and reports if that ended the transaction."""
            if observer.asking:
                return send()
            connection = self.connection
            facts = connection._m10_facts
            # With autocommit, SQL may still have begun a transaction.
            alone = connection.autocommit and connection.get_transaction_status() == IDLE
            for sql, parameters in shown:
                on_statement(observer, facts, self._m10_text(sql, parameters), None, None, alone)
            result = send()
            if alone:
                on_carried(observer, facts)
            elif shown:
                idle = connection.get_transaction_status() == IDLE
                on_sent(observer, facts, self.query or shown[-1][0], self.statusmessage, idle)
            return result

        def _m10_text(self, sql, parameters):
            try:
                return self.mogrify(sql, parameters)
            except Exception:
                return sql

        def execute(self, query, vars=None):
            return self._m10_send([(query, vars)], lambda: super(Cursor, self).execute(query, vars))

        def executemany(self, query, vars_list):
            rows = list(vars_list)
            # psycopg2 sends each row by itself, not through execute of this class.
            shown = [(query, row) for row in rows]
            return self._m10_send(shown, lambda: super(Cursor, self).executemany(query, rows))

        def callproc(self, procname, *args):
            shown = [(f'select * from "{procname}"(/* arguments of callproc */)', None)]
            return self._m10_send(shown, lambda: super(Cursor, self).callproc(procname, *args))

        def copy_expert(self, sql, *args, **kwargs):
            return self._m10_send([(sql, None)], lambda: super(Cursor, self).copy_expert(sql, *args, **kwargs))

        def copy_from(self, file, table, *args, **kwargs):
            shown = [(f'copy "{table}" from stdin', None)]
            return self._m10_send(shown, lambda: super(Cursor, self).copy_from(file, table, *args, **kwargs))

    return Cursor
