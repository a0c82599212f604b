"""Which database a session leads to, which backend serves it, and which settings hold in it."""

import re

from .outside import forbid_outside

SESSION_FIELDS = (
    "database",
    "oid",
    "user",
    "session_user",
    "pid",
    "backend_start",
    "started",
    "address",
    "port",
    "standby",
    "application_name",
    "lock_timeout_ms",
    "statement_timeout_ms",
    "read_only",
    "system",
)
# Casts to text and integers, so that each driver returns plain values.
SESSION_SQL = (
    "select current_database()::text, (select d.oid::text from pg_catalog.pg_database d"
    " where d.datname = current_database()), current_user::text, session_user::text, pg_backend_pid(),"
    " (select extract(epoch from a.backend_start)::text from pg_catalog.pg_stat_activity a"
    " where a.pid = pg_backend_pid()), extract(epoch from pg_postmaster_start_time())::text,"
    " host(inet_server_addr()), inet_server_port(), pg_is_in_recovery(),"
    " current_setting('application_name'),"
    " (select s.setting::int from pg_catalog.pg_settings s where s.name = 'lock_timeout'),"
    " (select s.setting::int from pg_catalog.pg_settings s where s.name = 'statement_timeout'),"
    " current_setting('default_transaction_read_only') = 'on'"
)


def on_connected(observer, dialect, driver, raw, outside=False):
    """Settles a new session and reports it. Returns its facts, by which its statements are known."""
    if dialect != "sqlite":
        forbid_outside(observer, "connects to a database")
    observer.connections += 1
    number = observer.connections
    if dialect != "postgresql":
        observer.write("connection", id=number, dialect=dialect, driver=driver, target=False)
        return {"id": number, "target": False}
    with observer.ask():
        facts = settle_session(observer, raw)
        facts["id"] = number
        facts["target"] = is_target(observer, facts)
        if facts["target"] is False and observer.mode == "migrate":
            only_read(raw)
            forbid_changes(raw)
    observer.write("connection", dialect=dialect, driver=driver, outside=outside, **facts)
    return facts


async def on_connected_async(observer, driver, raw):
    """The same for a connection that a migration made by itself with an asynchronous driver."""
    forbid_outside(observer, "connects to a database")
    observer.connections += 1
    with observer.ask():
        for name, value in settings_of(observer):
            await raw.execute(set_of(name, value))
        facts = dict(zip(SESSION_FIELDS, [*await raw.fetchrow(SESSION_SQL), None]))
        facts["id"] = observer.connections
        facts["target"] = is_target(observer, facts)
        if facts["target"] is False and observer.mode == "migrate":
            await raw.execute(FORBID)
    observer.write("connection", dialect="postgresql", driver=driver, outside=True, **facts)
    return facts


def settings_of(observer):
    """What was promised of each session, as (name, value)."""
    wanted = observer.request
    settings = [("application_name", wanted.get("application_name"))]
    for name in ("lock_timeout", "statement_timeout"):
        value = wanted.get(name + "_ms")
        settings.append((name, None if value is None else f"{int(value)}ms"))
    if observer.mode != "migrate":
        settings.append(("default_transaction_read_only", "on"))
    return [(name, value) for name, value in settings if value is not None]


def set_of(name, value):
    quoted = value.replace("'", "''")
    return f"set {name} = '{quoted}'"


def settle_session(observer, raw):
    """Sets what was promised in this very session and reads back what holds."""
    if observer.mode != "migrate":
        only_read(raw)
    cursor = plain_cursor(raw)
    try:
        for name, value in settings_of(observer):
            cursor.execute(set_of(name, value))
        raw.commit()
        cursor.execute(SESSION_SQL)
        row = list(cursor.fetchone())
        try:
            cursor.execute("select system_identifier::text from pg_control_system()")
            row.append(cursor.fetchone()[0])
        except Exception:
            row.append(None)
        raw.rollback()
    finally:
        cursor.close()
    return dict(zip(SESSION_FIELDS, row))


def only_read(raw):
    """Where a driver has each transaction begin so, whatever the session's default becomes later."""
    try:
        if hasattr(raw, "readonly"):
            raw.readonly = True
        elif hasattr(type(raw), "read_only"):
            raw.read_only = True
    except Exception:
        # The session's own default holds all the same.
        pass


def keep_settings(observer, facts, raw):
    """
    Sets what was promised again at the first statement of a transaction, and reads it back: a pool may have reset
    the session, a listener of the project may set its own.
    """
    if facts.get("oid") is None or observer.asking:
        return
    with observer.ask():
        cursor = plain_cursor(raw)
        try:
            for sql in keeping(observer, facts):
                cursor.execute(sql)
            held = {}
            for name in promised(observer):
                cursor.execute(f"show {name}")
                held[name + "_ms"] = milliseconds_of(cursor.fetchone()[0])
        finally:
            cursor.close()
    check_settings(observer, held)


async def keep_settings_async(observer, facts, raw):
    if facts.get("oid") is None or observer.asking:
        return
    with observer.ask():
        for sql in keeping(observer, facts):
            await raw.execute(sql)
        held = {f"{n}_ms": milliseconds_of(await raw.fetchval(f"show {n}")) for n in promised(observer)}
    check_settings(observer, held)


def keeping(observer, facts):
    """No query among them: a transaction's isolation can be set only before its first one."""
    limits = [set_of(name, value) for name, value in settings_of(observer) if name in promised(observer)]
    if observer.only_reads(facts):
        return [*limits, FORBID, "set transaction read only"]
    return limits


def promised(observer):
    return [n for n in ("lock_timeout", "statement_timeout") if observer.request.get(n + "_ms") is not None]


UNITS = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def milliseconds_of(shown):
    """The server shows a time with its largest whole unit, and 0 with none."""
    number, unit = re.fullmatch(r"(\d+)(\w*)", shown).groups()
    return int(number) * UNITS.get(unit, 1)


def plain_cursor(connection):
    """A project may have its rows come as dictionaries, which hold one of several columns of a name."""
    raw = getattr(connection, "dbapi_connection", None) or connection
    modules = {each.__module__.split(".")[0] for each in type(raw).__mro__}
    if "psycopg2" in modules:
        import psycopg2.extensions

        return raw.cursor(cursor_factory=psycopg2.extensions.cursor)
    if "psycopg" in modules:
        from psycopg.rows import tuple_row

        return raw.cursor(row_factory=tuple_row)
    return connection.cursor()


FORBID = "set default_transaction_read_only = 'on'"


def forbid_changes(raw):
    """Another database may be read (settings, a list of tenants); what changes it was not approved."""
    cursor = raw.cursor()
    cursor.execute(FORBID)
    raw.commit()
    cursor.close()


def is_target(observer, facts):
    target = observer.request.get("target")
    if target is None:
        return None
    if facts["database"] != target["database"] or str(facts["oid"]) != str(target["oid"]):
        return False
    # A copy made from a base backup or a snapshot has the system identifier of its origin: only the start differs.
    if target.get("system") and facts["system"] and target["system"] != facts["system"]:
        return False
    return target.get("started") == facts["started"]


def check_settings(observer, facts):
    for name in ("lock_timeout_ms", "statement_timeout_ms"):
        value = observer.request.get(name)
        if value is not None and facts.get(name) != int(value):
            observer.refuse("setting", name=name, found=facts.get(name), expected=int(value))


def hold_session(observer, connection):
    """In the transaction that does the work: a pooler may have given it another backend since."""
    facts = info_of(connection)
    with observer.ask():
        cursor = plain_cursor(connection.connection)
        for name in ("lock_timeout", "statement_timeout"):
            value = observer.request.get(name + "_ms")
            if value is not None:
                cursor.execute(f"set {name} = '{int(value)}ms'")
        cursor.execute(SESSION_SQL)
        now = dict(zip(SESSION_FIELDS, cursor.fetchone()))
        cursor.close()
    check_settings(observer, now)
    if now["pid"] != facts["pid"] or now["backend_start"] != facts["backend_start"]:
        observer.refuse("other_session", found=now["pid"], expected=facts["pid"])
    if now["oid"] != facts["oid"]:
        observer.refuse("other_database", found=now, connection=facts.get("id"))
    observer.write("session", context=observer.context, step=observer.step, **now)


def table_place(context):
    """Where the version table is for this session: its search path decides when no schema is configured."""
    schema, table = context.version_table_schema, context.version_table
    # Not through SQLAlchemy, where a question begins a transaction that env.py then cannot begin.
    pooled = context.connection.connection
    idle = not in_transaction(context.connection)
    cursor = plain_cursor(pooled)
    try:
        cursor.execute(
            "select n.nspname::text, c.relname::text from pg_catalog.pg_class c"
            " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
            " where c.oid = to_regclass(" + quote_name(schema, table) + ")"
        )
        row = cursor.fetchone()
        if row is not None:
            return {"schema": row[0], "table": row[1], "exists": True}
        if schema is None:
            cursor.execute("select current_schema()::text")
            schema = cursor.fetchone()[0]
        return {"schema": schema, "table": table, "exists": False}
    finally:
        cursor.close()
        if idle:
            pooled.rollback()


def in_transaction(connection):
    """Also one that the driver began unknown to SQLAlchemy 1.4, in which a `set` of env.py may be pending."""
    raw = getattr(connection.connection, "dbapi_connection", None)
    status = getattr(raw, "get_transaction_status", None)
    return connection.in_transaction() or (status is not None and status() != 0)


def quote_name(schema, table):
    name = ".".join('"' + part.replace('"', '""') + '"' for part in (schema, table) if part is not None)
    # Some drivers read a percent sign as a placeholder even where there are no parameters.
    escaped = name.replace("\\", "\\\\").replace("'", "''").replace("%", "\\x25")
    return "E'" + escaped + "'"


def info_of(connection):
    """The facts of a session, from SQLAlchemy's connection or what it has from its pool."""
    record = getattr(connection, "connection", connection)
    info = getattr(record, "info", None)
    return info.get("m10", {}) if isinstance(info, dict) else {}
