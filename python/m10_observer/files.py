"""Which files were read, by content. What C code opens by itself (libxml2, a compiled reader) is not seen."""

import hashlib
import importlib.util
import os
import stat
import sys
import urllib.parse

from .outside import PROGRAMS, on_program, on_socket


def place_libraries(observer):
    """Which folders are Python's own, and which hold installed packages."""
    import site
    import sysconfig

    paths = sysconfig.get_paths()
    roots = set(site.getsitepackages()) | {site.getusersitepackages()}
    roots |= {paths.get("purelib"), paths.get("platlib"), "/usr/lib/python3/dist-packages"}
    roots |= {p for p in sys.path if os.path.basename(p) in ("site-packages", "dist-packages")}
    observer.packages = [os.path.realpath(p) + os.sep for p in roots if p]
    observer.stdlib = [
        os.path.realpath(p) + os.sep for p in (paths.get("stdlib"), paths.get("platstdlib")) if p
    ]


def kind_of(observer, path):
    """Whose a file is: "package" (with the name of its folder), "stdlib" or the project's own "file"."""
    real = os.path.realpath(path)
    for root in observer.packages:
        if real.startswith(root):
            return "package", real[len(root):].split(os.sep)[0], real
    if any(real.startswith(root) for root in observer.stdlib):
        return "stdlib", None, real
    for root in ("/proc/", "/sys/", "/dev/", observer.here + os.sep, observer.folder + os.sep):
        if real.startswith(root):
            return "stdlib", None, real
    return "file", None, real


def listen(observer):
    def audit(event, args):
        if event == "open":
            on_open(observer, *args)
        elif event in OPENED_IN_C:
            on_opened_in_c(observer, args[OPENED_IN_C[event]])
        elif event in PROGRAMS:
            on_program(observer, event, args)
        elif event == "socket.connect":
            on_socket(observer, args[1])

    sys.addaudithook(audit)


# Events that name a file which C code then opens, with the place of its path among their arguments.
OPENED_IN_C = {"sqlite3.connect": 0, "import": 1, "ctypes.dlopen": 0}


def on_open(observer, path, mode, flags):
    if observer.asking or isinstance(path, int) or path is None:
        return
    if is_readable(mode, flags):
        with observer.ask():
            on_read(observer, os.path.abspath(os.fsdecode(path)))


def is_readable(mode, flags):
    """Whether what stands in the file can be read: not where it is emptied, newly made or only written."""
    if isinstance(mode, str):
        return not any(letter in mode for letter in "wx") and ("a" not in mode or "+" in mode)
    if not isinstance(flags, int):
        return True
    new = flags & os.O_CREAT and flags & os.O_EXCL
    return not (flags & os.O_WRONLY or flags & os.O_TRUNC or new)


def on_opened_in_c(observer, path):
    if observer.asking or not isinstance(path, (str, bytes, os.PathLike)):
        return
    with observer.ask():
        name = os.fsdecode(path)
        if name.startswith("file:"):
            name = urllib.parse.unquote(name[len("file:"):].split("?")[0])
        # A library's bare name is looked for by the system's loader.
        for each in (name, name + "-wal"):
            if os.sep in each or os.path.exists(each):
                on_read(observer, os.path.abspath(each))


def on_read(observer, path):
    # Python checks most compiled files against their source; the source is what people read and approve.
    if path.endswith(".pyc") and not is_unchecked(path):
        try:
            source = importlib.util.source_from_cache(path)
        except ValueError:
            source = path
        if os.path.exists(source):
            path = source
    kind, package, real = kind_of(observer, path)
    if kind == "stdlib":
        return
    digest = digest_of(real)
    if digest is None or observer.seen.get(path) == digest:
        return
    observer.seen[path] = digest
    entry = {"path": path, "sha256": digest, "package": package}
    if observer.out is None:
        observer.pending.append(entry)
    else:
        observer.write("file", **entry)
    if observer.migrating:
        check_file(observer, path, digest)


def check_file(observer, path, digest):
    approved = (observer.request.get("files") or {}).get(path)
    if approved is not None and approved != digest:
        observer.refuse("file_changed", path=path)


def check_files(observer):
    for path, digest in list(observer.seen.items()):
        check_file(observer, path, digest)


def digest_of(path):
    try:
        # To open a named pipe would wait for its writer, and take what the program is to read.
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        digest = hashlib.sha256()
        with open(path, "rb") as file:
            for chunk in iter(lambda: file.read(1 << 20), b""):
                digest.update(chunk)
        return digest.hexdigest()
    except OSError:
        return None


def is_unchecked(path):
    """Whether Python takes this compiled file without a look at its source (PEP 552)."""
    try:
        with open(path, "rb") as file:
            header = file.read(8)
    except OSError:
        return False
    return len(header) == 8 and int.from_bytes(header[4:8], "little") & 0b11 == 0b01


def read_sources(observer):
    """Own code is compiled from its source each time: a compiled file may be older or another's work."""
    from importlib._bootstrap_external import SourceFileLoader

    stats = SourceFileLoader.path_stats

    def path_stats(self, path):
        if kind_of(observer, path)[0] == "file":
            raise OSError("compiled from source")
        return stats(self, path)

    SourceFileLoader.path_stats = path_stats
