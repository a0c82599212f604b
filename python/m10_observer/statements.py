"""What is sent to databases, and what of it was committed."""

import hashlib
import re
import sys

from .files import kind_of

TEXT_LIMIT = 200_000
STATEMENTS_LIMIT = 20_000
ROWS_LIMIT = 50
# Of all texts together: what people can be shown, and memory holds.
TOTAL_LIMIT = 100_000_000

# What would make a session write again that was opened to read, and what changes the limits of one.
LIFTS = re.compile(r"\bread\s+write\b|\bset\b[^;]*transaction_read_only", re.IGNORECASE)
LIFTS_BY_CALL = re.compile(r"set_config\s*\(\s*'\w*transaction_read_only", re.IGNORECASE)
LIMITS = re.compile(r"lock_timeout|statement_timeout|\b(?:reset|discard)\s+all\b", re.IGNORECASE)


def on_statement(observer, facts, sql, parameters, style, autocommit, many=False):
    if observer.asking:
        return
    observer.stop_if_refused()
    text = text_of(sql)
    check_limits(observer, facts, text)
    observer.statements += 1
    observer.characters += min(len(text), TEXT_LIMIT)
    if observer.statements > STATEMENTS_LIMIT or observer.characters > TOTAL_LIMIT:
        if not observer.truncated:
            observer.truncated = True
            observer.write("truncated", limit=observer.statements - 1)
        return
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


def check_limits(observer, facts, text):
    if observer.only_reads(facts) and (LIFTS.search(QUOTED.sub("", text)) or LIFTS_BY_CALL.search(text)):
        observer.refuse("lifts_read_only", name=text[:200])
    # What a script sets by itself was shown and approved; what a listener of the project sets was not.
    if LIMITS.search(text) and not is_of_script(observer):
        facts["unsettled"] = True


def is_of_script(observer):
    """Whether a revision's script, or a helper that it calls, sends this; what libraries call back is not its own."""
    frame = sys._getframe(1)
    while frame is not None and kind_of(observer, frame.f_code.co_filename)[0] != "file":
        frame = frame.f_back
    while frame is not None and kind_of(observer, frame.f_code.co_filename)[0] == "file":
        if "down_revision" in frame.f_globals:
            return True
        frame = frame.f_back
    return False


def must_keep(facts, idle, broken=False):
    """
    Whether what was promised is to be set again before the next statement: it begins a transaction, or somebody has
    changed the limits since. A transaction that is broken takes no statement any more.
    """
    if broken or not (idle or not facts.get("kept") or facts.get("unsettled")):
        return False
    facts.update(kept=True, unsettled=False)
    return True


def on_committing(observer, facts):
    """Written before: from here on the server may have it, whatever becomes of this process."""
    if not observer.asking:
        observer.stop_if_refused()
        observer.write("committing", connection=facts.get("id"), target=facts.get("target"))


def on_data(observer, facts, data):
    """What a COPY sent, of which its statement says nothing."""
    if not observer.asking and data.bytes > 0:
        digest = data.sha256.hexdigest()
        observer.write("data", connection=facts.get("id"), bytes=data.bytes, sha256=digest)


class Data:
    """Counts and digests what is sent, as it is read from a project's file or written by it."""

    def __init__(self, file=None):
        self.file = file
        self.bytes = 0
        self.sha256 = hashlib.sha256()

    def add(self, part):
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else bytes(part)
        self.bytes += len(data)
        self.sha256.update(data)
        return part

    def read(self, *args):
        return self.add(self.file.read(*args))

    def readline(self, *args):
        return self.add(self.file.readline(*args))

    def __getattr__(self, name):
        return getattr(self.file, name)


def on_ended(observer, facts, how):
    facts["kept"] = False
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
    elif ends_transaction(sql):
        on_ended(observer, facts, "commit")


def ends_transaction(sql):
    return COMMITS.search(QUOTED.sub("", text_of(sql))) is not None


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
