"""Reports what Alembic does, as it does it, and refuses what was not approved.

It runs inside the interpreter of the target's own `alembic`, started with the folder above on PYTHONPATH, and needs
the standard library, Alembic (1.8 or newer) and SQLAlchemy (1.4 or newer). The folder named by M10_OBSERVE holds
the request (`stdin`, JSON) and receives the report (`report.jsonl`, one JSON object a line, each written before
what it tells of goes on). Nothing here depends on what the program prints, on its log or on its exit code.

Request:
  mode              "read": sessions are read-only; "print": offline SQL; "migrate": changes may be made
  target            {"database", "oid", "system", "started"} of the one database that may be worked on, or null
  application_name  set in every PostgreSQL session
  lock_timeout_ms, statement_timeout_ms   set in every session, or null
  from              revisions that the database must be at (migrate) or is taken to be at (print), or null
  steps             [[direction, revision], ...] that may run, in order (migrate), or null
  files             {path: sha256} of the files that were approved (migrate), or null
  unchanged         [{"schema", "name", "rows", "mark"}, ...] tables whose rows must be these (migrate), or absent
"""

from .start import wait_for_alembic

__all__ = ["wait_for_alembic"]
