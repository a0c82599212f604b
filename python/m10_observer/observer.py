"""The state of one observation, and the report."""

import contextlib
import json
import os
import sys
import threading


class Refused(BaseException):
    """Nothing may go on. Not an Exception, so that no `except Exception` of a project goes on all the same."""


class Observer:
    def __init__(self, folder, here):
        self.folder = folder
        self.here = here
        self.request = {}
        self.out = None
        self.lock = threading.RLock()
        # on: a question of our own; inside: SQLAlchemy is at its driver; connecting: SQLAlchemy opens a session
        self.busy = threading.local()
        self.refused = None
        # Files: what was read before the request was there, and the digest of each path
        self.pending = []
        self.seen = {}
        self.packages = []
        self.stdlib = []
        # Sessions and statements
        self.connections = 0
        self.statements = 0
        self.characters = 0
        self.truncated = False
        self.asyncpg = {}
        # Migrations
        self.contexts = 0
        self.context = None
        self.step = None
        self.heads = set()
        self.asked = set()
        self.scripts = None
        self.scripts_told = False
        self.migrating = False

    @property
    def mode(self):
        return self.request.get("mode")

    def activate(self):
        with open(os.path.join(self.folder, "stdin"), encoding="utf-8") as file:
            self.request = json.load(file)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self.out = os.open(os.path.join(self.folder, "report.jsonl"), flags, 0o600)
        import alembic
        import sqlalchemy

        self.write(
            "hello",
            python=sys.version.split()[0],
            executable=sys.executable,
            alembic=str(alembic.__version__),
            sqlalchemy=str(sqlalchemy.__version__),
            pid=os.getpid(),
        )
        for entry in self.pending:
            self.write("file", **entry)
        self.pending = []

    def write(self, event, **fields):
        if self.out is None:
            return
        line = json.dumps({"event": event, **fields}, ensure_ascii=True, default=repr)
        with self.lock:
            data = line.encode("ascii") + b"\n"
            while data:
                data = data[os.write(self.out, data):]

    def forked(self):
        """In a process that was forked off: its sessions must not be taken for its parent's of the same number."""
        self.lock = threading.RLock()
        self.connections = os.getpid() * 1_000

    def refuse(self, code, **fields):
        if self.refused is None:
            self.refused = code
            self.write("refused", code=code, **fields)
        self.stop_if_refused()

    def stop_if_refused(self):
        """A bare `except:` of a project swallows a refusal; what it does next is refused again."""
        if self.refused is not None:
            raise Refused(f"m10bot refuses to go on: {self.refused}")

    def only_reads(self, facts):
        """Whether a session of these facts may change nothing: none may before a migration, and no other database's."""
        return self.out is not None and (self.mode != "migrate" or (facts or {}).get("target") is False)

    @property
    def asking(self):
        return getattr(self.busy, "on", False)

    def ask_offline(self, what):
        """A migration looks at what differs between a run and its printed SQL."""
        if self.step is None or what in self.asked or self.asking:
            return
        self.asked.add(what)
        self.write("asks", what=what, context=self.context, step=self.step)

    @contextlib.contextmanager
    def ask(self):
        """What happens meanwhile is a question of our own, and no part of what the migration does."""
        before = self.asking
        self.busy.on = True
        try:
            yield
        finally:
            self.busy.on = before

    def quietly(self, work):
        """No harm if a question has no answer."""
        with self.ask():
            try:
                return work()
            except Exception as error:
                self.write("unread", why=f"{type(error).__name__}: {error}"[:500])
                return None
