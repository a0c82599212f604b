"""Rows that were archived before they are dropped: nothing may have been written to them since."""

from .sessions import plain_cursor, quote_name

# What the text of a row depends on; the same is set where the archive is made (src/actions/archive/marks.ts).
SETTINGS = (
    "set local datestyle = 'ISO, YMD'",
    "set local timezone = 'UTC'",
    "set local intervalstyle = 'postgres'",
    "set local extra_float_digits = 1",
    "set local bytea_output = 'hex'",
    "set local search_path = pg_catalog",
)


def hold_rows(observer, connection):
    """
    Locks the tables in the transaction that drops them, and holds their rows against the archive. The lock is the
    one that DROP takes: a weaker one would be a deadlock with whoever reads now and writes next.
    """
    wanted = observer.request.get("unchanged") or []
    if not wanted or observer.rows_held:
        return
    observer.rows_held = True
    with observer.ask():
        cursor = plain_cursor(connection.connection)
        try:
            differing = [found for found in (differs(cursor, table) for table in wanted) if found]
        finally:
            cursor.close()
    if differing:
        observer.refuse("rows_changed", found=differing)


def differs(cursor, table):
    name = ".".join('"' + table[part].replace('"', '""') + '"' for part in ("schema", "name"))
    cursor.execute("select to_regclass(" + quote_name(table["schema"], table["name"]) + ") is not null")
    if not cursor.fetchone()[0]:
        return {"table": table["name"], "rows": None, "archived": table["rows"]}
    cursor.execute(f"lock table only {name} in access exclusive mode")
    cursor.execute("savepoint m10bot_rows")
    for setting in SETTINGS:
        cursor.execute(setting)
    cursor.execute(
        "select count(*)::text, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text"
        f" from only {name} t"
    )
    rows, mark = cursor.fetchone()
    cursor.execute("rollback to savepoint m10bot_rows")
    if int(rows) == table["rows"] and mark == table["mark"]:
        return None
    return {"table": table["name"], "rows": int(rows), "archived": table["rows"]}
