"""Where Alembic is listened to."""

import sys

from .errors import on_error
from .files import kind_of
from .migrations import after_step, before_step, before_steps, on_context, on_scripts


def hook(observer):
    from alembic.ddl.impl import DefaultImpl
    from alembic.runtime.migration import HeadMaintainer, MigrationContext

    made = MigrationContext.__init__
    run = MigrationContext.run_migrations
    heads_of = MigrationContext.get_current_heads
    static = DefaultImpl.static_output
    update = HeadMaintainer.update_to_step
    hook_questions(observer)
    hook_environment(observer)
    hook_errors(observer)

    def init(self, *args, **kwargs):
        made(self, *args, **kwargs)
        on_context(observer, self)

    def get_current_heads(self):
        wanted = observer.request.get("from")
        if self.as_sql and observer.mode == "print" and wanted is not None:
            return tuple(wanted)
        return heads_of(self)

    def run_migrations(self, **kwargs):
        inner = self._migrations_fn

        def steps_of(heads, context):
            on_scripts(observer, observer.scripts)
            steps = list(inner(heads, context))
            before_steps(observer, context, list(heads or ()), steps)
            for index, step in enumerate(steps):
                before_step(observer, context, index)
                yield step
                after_step(observer, context, index)

        self._migrations_fn = None if inner is None else steps_of
        try:
            return run(self, **kwargs)
        except BaseException as error:
            on_error(observer, error, "migration")
            raise
        finally:
            self._migrations_fn = inner
            observer.step = None

    def static_output(self, text):
        observer.write("sql", context=observer.context, step=observer.step, text=text)
        return static(self, text)

    def update_to_step(self, step):
        try:
            result = update(self, step)
        except BaseException as error:
            on_error(observer, error, "version")
            raise
        observer.heads = set(self.heads)
        return result

    MigrationContext.__init__ = init
    MigrationContext.get_current_heads = get_current_heads
    MigrationContext.run_migrations = run_migrations
    DefaultImpl.static_output = static_output
    HeadMaintainer.update_to_step = update_to_step


def hook_questions(observer):
    """Tells when a migration decides by what offline mode cannot answer: what is printed may not be what runs."""
    from alembic.operations import Operations
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext

    offline = EnvironmentContext.is_offline_mode
    bind = Operations.get_bind

    asked = observer.ask_offline

    def is_offline_mode(self):
        asked("is_offline_mode")
        return offline(self)

    def get_bind(self):
        asked("get_bind")
        return bind(self)

    def as_sql(self):
        if kind_of(observer, sys._getframe(1).f_code.co_filename)[0] == "file":
            asked("as_sql")
        return self.__dict__["as_sql"]

    class Arguments(list):
        """The command line, by which a migration can tell that its SQL is only printed."""

        def _m10_asked(self):
            if kind_of(observer, sys._getframe(2).f_code.co_filename)[0] == "file":
                asked("sys.argv")

        def __reduce_ex__(self, protocol):
            return list, (list(super().__iter__()),)

        def __contains__(self, value):
            self._m10_asked()
            return super().__contains__(value)

        def __iter__(self):
            self._m10_asked()
            return super().__iter__()

        def __getitem__(self, index):
            self._m10_asked()
            return super().__getitem__(index)

    sys.argv = Arguments(sys.argv)
    EnvironmentContext.is_offline_mode = is_offline_mode
    Operations.get_bind = get_bind
    MigrationContext.as_sql = property(
        as_sql, lambda self, value: self.__dict__.__setitem__("as_sql", value)
    )


def observe_options(observer, options):
    """`config.cmd_opts.sql` tells a migration the same."""

    class Options(type(options)):
        def __getattribute__(self, name):
            if name == "sql" and kind_of(observer, sys._getframe(1).f_code.co_filename)[0] == "file":
                observer.ask_offline("cmd_opts.sql")
            return super().__getattribute__(name)

    options.__class__ = Options


def hook_environment(observer):
    from alembic.script import ScriptDirectory

    enter = ScriptDirectory.run_env

    def run_env(self):
        observer.scripts = self
        try:
            return enter(self)
        except BaseException as error:
            on_error(observer, error, "environment")
            raise
        finally:
            on_scripts(observer, self)

    ScriptDirectory.run_env = run_env


def hook_errors(observer):
    previous = sys.excepthook

    def excepthook(kind, error, trace):
        on_error(observer, error, "program")
        previous(kind, error, trace)

    sys.excepthook = excepthook
    from alembic.config import CommandLine

    run_cmd = CommandLine.run_cmd

    def run(self, config, options):
        from alembic import util

        observe_options(observer, options)

        err = util.err

        def told(message, *args, **kwargs):
            error = sys.exc_info()[1]
            if error is not None:
                on_error(observer, error, "command")
            return err(message, *args, **kwargs)

        util.err = told
        try:
            result = run_cmd(self, config, options)
            observer.write("ended")
            return result
        finally:
            util.err = err

    CommandLine.run_cmd = run


