"""psycopg2's own connections and cursors: what does not go through SQLAlchemy is seen as well."""

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

# psycopg2.extensions.TRANSACTION_STATUS_IDLE and TRANSACTION_STATUS_INERROR
IDLE, BROKEN = 0, 3


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
        forbid_outside(observer, "connects to a database")
        dialect = getattr(observer.busy, "connecting", None)
        observer.busy.connecting = None
        raw = connect(*args, **kwargs)
        raw._m10_facts = on_connected(observer, dialect or "postgresql", "psycopg2", raw, dialect is None)
        return raw

    module.connect = connect_observed


def observed_connection(observer, base):
    import psycopg2.extensions

    plain = psycopg2.extensions.connection

    # Below the project's class, so that what that class decides (its own kind of cursor) stays as it is.
    class Bottom(plain):
        _m10_facts = None

        def cursor(self, *args, **kwargs):
            if len(args) > 1:
                kwargs["cursor_factory"] = args[1]
                args = args[:1]
            if self._m10_facts is not None:
                base = kwargs.get("cursor_factory") or self.cursor_factory or psycopg2.extensions.cursor
                kwargs["cursor_factory"] = observed_cursor(observer, base)
            return super().cursor(*args, **kwargs)

        @property
        def readonly(self):
            return super().readonly

        @readonly.setter
        def readonly(self, value):
            plain.readonly.__set__(self, value or observer.only_reads(self._m10_facts))

        def set_session(self, isolation_level=None, readonly=None, deferrable=None, autocommit=None):
            if observer.only_reads(self._m10_facts):
                readonly = True
            super().set_session(isolation_level, readonly, deferrable, autocommit)

        def commit(self):
            on_committing(observer, self._m10_facts or {})
            super().commit()
            on_ended(observer, self._m10_facts or {}, "commit")

        def rollback(self):
            super().rollback()
            on_ended(observer, self._m10_facts or {}, "rollback")

    if base is None or base is plain:
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
            status = connection.get_transaction_status()
            idle = status == IDLE
            if must_keep(facts, idle, status == BROKEN):
                keep_settings(observer, facts, connection)
            # With autocommit, SQL may still have begun a transaction.
            alone = connection.autocommit and idle
            for sql, parameters in shown:
                text = self._m10_text(sql, parameters)
                on_statement(observer, facts, text, None, None, alone)
                if ends_transaction(text):
                    on_committing(observer, facts)
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

        def callproc(self, procname, parameters=None):
            given = parameters or ()
            places = [f"{name} := %s" for name in given] if isinstance(given, dict) else ["%s"] * len(given)
            values = list(given.values()) if isinstance(given, dict) else list(given)
            # psycopg2 sends the name as it stands.
            shown = [(f"select * from {procname}({', '.join(places)})", values)]
            return self._m10_send(shown, lambda: super(Cursor, self).callproc(procname, *_given(parameters)))

        def copy_expert(self, sql, file, *args, **kwargs):
            data = Data(file)
            # psycopg2 calls only `read` or `write`, and refuses what is no file before it sends anything.
            return self._m10_copy([(sql, None)], data, lambda: super(Cursor, self).copy_expert(sql, data, *args, **kwargs))

        def copy_from(self, file, table, *args, **kwargs):
            data = Data(file)
            shown = [(f'copy "{table}" from stdin', None)]
            return self._m10_copy(shown, data, lambda: super(Cursor, self).copy_from(data, table, *args, **kwargs))

        def _m10_copy(self, shown, data, send):
            def sent():
                result = send()
                on_data(observer, self.connection._m10_facts, data)
                return result

            return self._m10_send(shown, sent)

    return Cursor


def _given(parameters):
    return () if parameters is None else (parameters,)
