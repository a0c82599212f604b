"""What a migration reaches besides its database: programs, sockets, processes of its own."""

import os
import sys

PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")
# The system's log takes lines and changes nothing.
HARMLESS_SOCKETS = ("/dev/log", "/run/systemd/journal/", "/var/run/syslog")


def forbid_outside(observer, what):
    """
    SQL is printed before anybody approved it, and nobody but the migration knows what it would do out there:
    it may reach nothing meanwhile. Its files are approved instead, as for one that asks the database.
    """
    if observer.mode == "print" and observer.step is not None and not observer.asking:
        observer.refuse("reaches_out", name=what)


def on_program(observer, event, args):
    if observer.out is None or observer.asking:
        return
    with observer.ask():
        words = words_of(event, args)
        observer.write("program", argv=[word[:500] for word in words[:20]])
    forbid_outside(observer, f"starts {os.path.basename(words[0].split(' ')[0])}")


def words_of(event, args):
    try:
        given = args[1] if len(args) > 1 and args[1] else args[0]
        words = [given] if isinstance(given, (str, bytes, os.PathLike)) else list(given)
        return [os.fsdecode(word) for word in words] or [event]
    except Exception:
        return [event]


def on_socket(observer, address):
    if observer.out is None or observer.asking:
        return
    if isinstance(address, (str, bytes)):
        name = os.fsdecode(address)
        if name.startswith(HARMLESS_SOCKETS):
            return
    else:
        name = ":".join(str(part) for part in address[:2])
    forbid_outside(observer, f"connects to {name}")


def hook_processes(observer):
    """
    What `multiprocessing` starts anew ("spawn", "forkserver") has no observer, and raises no audit event. A fork
    has it from its parent; its sessions are numbered apart.
    """
    import _posixsubprocess
    import subprocess  # noqa: F401  It takes fork_exec by name, and has an audit event of its own.

    start = _posixsubprocess.fork_exec

    def fork_exec(args, *rest):
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if caller.startswith("multiprocessing.") and not any("resource_tracker" in os.fsdecode(a) for a in args):
            observer.refuse("unobserved", name="multiprocessing")
        return start(args, *rest)

    _posixsubprocess.fork_exec = fork_exec
    os.register_at_fork(after_in_child=lambda: observer.forked())


