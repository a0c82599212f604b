"""Loaded by every Python that starts with this folder on PYTHONPATH; observes the one that becomes Alembic.

A program that wraps Alembic (a shell script, `poetry run`) is a Python or no Python of its own and hands the
environment on, so the observer waits until the package `alembic` is imported, and only then takes its request.
"""

import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))
# The program shall see the path that it would have without us.
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != _here]

if os.environ.get("M10_OBSERVE"):
    import importlib.util

    # Not by the path: a module of the same name elsewhere would be taken.
    _folder = os.path.join(_here, "m10_observer")
    _spec = importlib.util.spec_from_file_location(
        "_m10_observer", os.path.join(_folder, "__init__.py"), submodule_search_locations=[_folder]
    )
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["_m10_observer"] = _module
    _written = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        _spec.loader.exec_module(_module)
        _module.wait_for_alembic(_here)
    finally:
        sys.dont_write_bytecode = _written

# The environment may have a sitecustomize of its own, which this one has hidden.
sys.modules.pop("sitecustomize", None)
try:
    import sitecustomize  # noqa: F401
except ImportError as error:
    if error.name != "sitecustomize":
        raise
finally:
    sys.modules.setdefault("sitecustomize", sys.modules.get("_m10_observer") or sys)
