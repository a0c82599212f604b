"""Starts the observer as soon as the package `alembic` has been loaded, whoever imports it."""

import importlib.util
import os
import sys

from . import alembic_hooks, asyncpg_driver, files, pg8000_driver, psycopg2_driver, psycopg_driver, sqlalchemy_hooks
from .observer import Observer
from .outside import hook_processes

DRIVERS = {
    "psycopg2": psycopg2_driver,
    "psycopg": psycopg_driver,
    "asyncpg": asyncpg_driver,
    "pg8000": pg8000_driver,
}


class Finder:
    """Does something once a module has been loaded, before anybody can take a name out of it."""

    def __init__(self, name, then):
        self.name = name
        self.then = then
        self.looking = False

    def find_spec(self, name, path=None, target=None):
        if name != self.name or self.looking:
            return None
        # The others look; `python -m alembic` looks once before it imports, so this stays until it was loaded.
        self.looking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.looking = False
        loader = getattr(spec, "loader", None)
        # A folder of the project may be called alembic, too: a namespace package is not Alembic.
        if loader is None or not hasattr(loader, "exec_module") or spec.origin is None:
            return spec
        load = loader.exec_module

        def exec_module(module):
            load(module)
            if self in sys.meta_path:
                sys.meta_path.remove(self)
                self.then(module)

        loader.exec_module = exec_module
        return spec


def wait_for_alembic(here):
    observer = Observer(os.path.realpath(os.environ["M10_OBSERVE"]), here)
    files.place_libraries(observer)
    files.listen(observer)
    files.read_sources(observer)
    for name, driver in DRIVERS.items():
        sys.meta_path.insert(0, Finder(name, lambda module, driver=driver: driver.hook(observer, module)))
    sys.meta_path.insert(0, Finder("alembic", lambda module: start(observer, module)))


def start(observer, alembic):
    if not hasattr(alembic, "__version__"):
        return
    # Programs that Alembic starts are not observed, and see the environment as it was.
    os.environ.pop("M10_OBSERVE", None)
    before = os.environ.pop("M10_OBSERVE_PYTHONPATH", "")
    if before:
        os.environ["PYTHONPATH"] = before
    else:
        os.environ.pop("PYTHONPATH", None)
    files.place_libraries(observer)
    with observer.ask():
        observer.activate()
        hook_processes(observer)
        sqlalchemy_hooks.hook(observer)
        alembic_hooks.hook(observer)
