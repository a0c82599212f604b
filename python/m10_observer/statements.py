"""What is sent to databases, and what of it was committed."""

import re

TEXT_LIMIT = 200_000
STATEMENTS_LIMIT = 20_000
ROWS_LIMIT = 50


def on_statement(observer, facts, sql, parameters, style, autocommit, many=False):
    if observer.asking:
        return
    observer.stop_if_refused()
    observer.statements += 1
    if observer.statements > STATEMENTS_LIMIT:
        if observer.statements == STATEMENTS_LIMIT + 1:
            observer.write("truncated", limit=STATEMENTS_LIMIT)
        return
    text = text_of(sql)
    rows, left_out = plain_rows(parameters, many)
    observer.write(
        "statement",
        connection=facts.get("id"),
        target=facts.get("target"),
        context=observer.context,
        step=observer.step,
        sql=text[:TEXT_LIMIT],
        cut=len(text) > TEXT_LIMIT or left_out,
        parameters=rows,
        style=style,
        autocommit=bool(autocommit),
    )


def on_ended(observer, facts, how):
    if not observer.asking:
        observer.write(how, connection=facts.get("id"), target=facts.get("target"))


def on_carried(observer, facts):
    """The last statement of the session was a transaction of its own and came to its end."""
    if not observer.asking:
        observer.write("carried", connection=facts.get("id"))


QUOTED = re.compile(r"\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
COMMITS = re.compile(r"(?:^|;)\s*(?:commit|end)\b", re.IGNORECASE)


def on_sent(observer, facts, sql, tag=None, idle=False):
    """
    SQL may end the transaction by itself, so that no driver's commit tells of it.
    tag: the server's command tag, where the driver hands it on; idle: that no transaction is open after it
    """
    if idle:
        on_ended(observer, facts, "rollback" if (tag or "").upper() == "ROLLBACK" else "commit")
    elif COMMITS.search(QUOTED.sub("", text_of(sql))):
        on_ended(observer, facts, "commit")


def text_of(sql):
    return sql.decode("utf-8", "replace") if isinstance(sql, bytes) else str(sql)


def plain_rows(parameters, many):
    """Parameters as JSON can carry them: a list of rows, and whether some were left out."""
    if not parameters:
        return [], False
    rows = list(parameters) if many else [parameters]
    return [plain_row(row) for row in rows[:ROWS_LIMIT]], len(rows) > ROWS_LIMIT


def plain_row(row):
    if isinstance(row, dict):
        return {str(key): plain_value(value) for key, value in row.items()}
    return [plain_value(value) for value in (row if isinstance(row, (list, tuple)) else [row])]


def plain_value(value):
    if value is None or isinstance(value, (bool, str)):
        return value
    # As text with its type: JSON's numbers would lose digits.
    return {"type": type(value).__name__, "text": str(value)}
