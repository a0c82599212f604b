"""What went wrong, by class, SQLSTATE and place."""


def on_error(observer, error, where):
    if isinstance(error, SystemExit) or getattr(error, "_m10_told", False):
        return
    try:
        # Kept on the error itself: an id is given again once the error is gone.
        error._m10_told = True
    except AttributeError:
        pass
    chain = []
    seen = error
    while seen is not None and len(chain) < 8:
        chain.append(seen)
        seen = getattr(seen, "orig", None) or seen.__cause__ or seen.__context__
    observer.write(
        "error",
        where=where,
        step=observer.step,
        classes=[f"{type(e).__module__}.{type(e).__qualname__}" for e in chain],
        message=message_of(error),
        sqlstate=next((s for s in map(sqlstate_of, chain) if s), None),
        schema=next((s for s in map(schema_of, chain) if s), None),
    )


def sqlstate_of(error):
    for name in ("sqlstate", "pgcode"):
        value = getattr(error, name, None)
        if isinstance(value, str) and len(value) == 5:
            return value
    first = error.args[0] if getattr(error, "args", None) else None
    # pg8000 hands over the fields of the server's message.
    if isinstance(first, dict) and isinstance(first.get("C"), str):
        return first["C"]
    return None


def schema_of(error):
    """The schema of the object that the server complains about, where the driver hands it on."""
    value = getattr(getattr(error, "diag", None), "schema_name", None) or getattr(error, "schema_name", None)
    return value if isinstance(value, str) else None


def message_of(error):
    text = str(error)
    # SQLAlchemy quotes statement and parameters behind the message.
    for mark in ("\n[SQL: ", "\n(Background on this error"):
        text = text.split(mark)[0]
    return f"{type(error).__name__}: {text}"[:2000]
