"""What Alembic is about to do and does: contexts, plans and steps, held against what was approved."""

import os

from .files import check_files
from .rows import hold_rows
from .sessions import check_settings, hold_session, info_of, table_place


def on_context(observer, context):
    observer.contexts += 1
    number = observer.contexts
    context._m10_number = number
    connection = context.connection
    facts = info_of(connection)
    fields = {
        "number": number,
        "offline": bool(context.as_sql),
        "dialect": context.dialect.name,
        "connection": facts.get("id"),
        "table": context.version_table,
        "schema": context.version_table_schema,
        "transactional": bool(context.impl.transactional_ddl),
        "each": bool(context._transaction_per_migration),
    }
    mode = observer.mode
    if not context.as_sql and mode == "migrate" and facts.get("target") is not True:
        observer.write("context", **fields, place=None)
        observer.refuse("other_database", found=facts, connection=facts.get("id"))
    if not context.as_sql and mode == "migrate":
        check_settings(observer, facts)
    place = None
    if not context.as_sql and context.dialect.name == "postgresql":
        place = observer.quietly(lambda: table_place(context))
    observer.write("context", **fields, place=place)


def on_scripts(observer, scripts):
    """
    Reports every revision that the project has, once. To read them any earlier than Alembic does would run them
    before env.py has prepared what they import.
    """
    if scripts is None or observer.scripts_told or observer.refused is not None:
        return
    try:
        found = {"heads": list(scripts.get_heads()), "revisions": revisions_of(scripts)}
    except Exception:
        # Alembic meets the same, and that is reported.
        return
    observer.scripts_told = True
    observer.write("scripts", **found)


def before_steps(observer, context, heads, steps):
    observer.context = context._m10_number
    observer.write(
        "plan",
        context=observer.context,
        heads=sorted(heads),
        steps=[describe_step(step) for step in steps],
    )
    if observer.mode != "migrate" or context.as_sql:
        return
    check_files(observer)
    wanted = observer.request.get("from")
    if wanted is not None and sorted(heads) != sorted(wanted):
        observer.refuse("other_revision", found=sorted(heads), expected=sorted(wanted))
    approved = observer.request.get("steps")
    if approved is not None:
        found = [[d["direction"], d["revision"]] for d in map(describe_step, steps)]
        if found != approved:
            observer.refuse("other_steps", found=found, expected=approved)
    observer.migrating = True


def before_step(observer, context, index):
    observer.step = index
    if observer.mode == "migrate" and not context.as_sql:
        hold_session(observer, context.connection)
        hold_rows(observer, context.connection)
    observer.write("step", context=observer.context, index=index, state="started")


def after_step(observer, context, index):
    observer.write("step", context=observer.context, index=index, state="done", heads=sorted(observer.heads))


def describe_step(step):
    up = bool(step.is_upgrade)
    return {
        "direction": "upgrade" if up else "downgrade",
        "revision": str(step.revision.revision) if hasattr(step, "revision") else None,
        "from": [str(r) for r in to_list(step.from_revisions_no_deps)],
        "to": [str(r) for r in to_list(step.to_revisions_no_deps)],
    }


def to_list(value):
    if value is None:
        return []
    return [value] if isinstance(value, str) else [v for v in value if v]


def revisions_of(scripts):
    return [
        {
            "revision": script.revision,
            "down": to_list(script.down_revision),
            "depends": to_list(getattr(script, "_resolved_dependencies", None) or script.dependencies),
            "labels": sorted(script.branch_labels or ()),
            "path": os.path.abspath(script.path),
            "message": (script.doc or "")[:200],
        }
        for script in scripts.walk_revisions()
    ]
