"""Confinement of domain code: the files its processes may read and write, which Landlock enforces on Linux."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kit.core import landlock, resources
from kit.core.entry_points import PROJECT
from kit.core.mask_key import MASK_KEY

_WRITE = (
    landlock.READ | landlock.WRITE_FILE | landlock.TRUNCATE | landlock.REMOVE_DIR | landlock.REMOVE_FILE | landlock.MAKE_DIR
    | landlock.MAKE_REG
)  # fmt: skip
# A link in a folder of the domain could lead a later reader, who is not confined, to any file.
_OWN = _WRITE | landlock.MAKE_SYM | landlock.MAKE_SOCK | landlock.MAKE_FIFO | landlock.REFER
_DEVICE = landlock.READ_FILE | landlock.WRITE_FILE | landlock.IOCTL_DEV

_SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/snap", "/sys/devices/system", "/sys/fs/cgroup",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/uptime", "/proc/version", "/proc/filesystems",
    "/proc/sys", "/run/systemd/resolve", "/var/cache/fontconfig",
)  # fmt: skip
_ETC = (
    "alternatives", "ca-certificates", "default/locale", "fonts", "gai.conf", "group", "host.conf", "hostname", "hosts",
    "krb5.conf", "krb5.conf.d", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias", "locale.conf", "localtime",
    "mime.types", "nsswitch.conf", "odbc.ini", "odbcinst.ini", "os-release", "passwd", "pki", "protocols",
    "resolv.conf", "services", "ssl", "timezone",
)  # fmt: skip
"""Files of `/etc` by which programs find names, hosts, certificates, fonts and time zones; none contains a secret."""
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_NAMED = (
    "AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "CURL_CA_BUNDLE", "GOOGLE_APPLICATION_CREDENTIALS",
    "KRB5_CONFIG", "NETRC", "PGPASSFILE", "PGSSLROOTCERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE",
    "TNS_ADMIN", "TZDIR",
)  # fmt: skip
"""Variables by which a person names files of credentials and certificates to libraries."""
_CACHES = {
    "TMPDIR": "", "IPYTHONDIR": "ipython", "JUPYTER_RUNTIME_DIR": "jupyter", "MPLCONFIGDIR": "matplotlib",
    "NUMBA_CACHE_DIR": "numba", "XDG_CACHE_HOME": "cache",
}  # fmt: skip
"""Variables that lead libraries to their folders, which are below the temporary one."""
_DENIED = re.compile(r"Permission denied|Operation not permitted|os error 1?3\b|EACCES")
SHORTENED = "..."
"""What a path begins with whose start polars has left out, since it is long."""

_POLARS = r"\(os error 1?3\): (?P<shortened>\.\.\.[^\n]+?) \(set POLARS_VERBOSE|\(os error 1?3\): (?P<rest>[^\n]+)$"
_NAMED_PATH = re.compile(
    rf"{_POLARS}|"
    r"""(?P<quote>['"])(?P<quoted>[^'"]*/.*?)(?P=quote)|(?<![\w./-])(?P<plain>(?:\.{0,2}|[\w.-]+)/[^\s'":,;)\]]+)""",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Places:
    """The files that a process of domain code may open: it may `read` these files and folders, and `write` in these folders.

    Those of the system and of Python are added, and a temporary folder of its own. `hidden` folders inside of others are left
    out.
    """

    read: tuple[Path, ...] = ()
    write: tuple[Path, ...] = ()
    hidden: tuple[Path, ...] = ()

    def allow(self, path: Path) -> bool:
        """Whether a file may be read; links in `path` are followed. Nothing is known of a path without its start."""
        if str(path).startswith(SHORTENED):
            return False
        real = path.resolve()
        return not self._real.isdisjoint(map(str, (real, *real.parents)))

    @cached_property
    def _real(self) -> frozenset[str]:
        return frozenset(os.path.realpath(place) for place, _ in self.rights())

    def rights(self) -> Iterator[tuple[Path, int]]:
        """Yield each place with its rights."""
        hidden = [folder.resolve() for folder in self.hidden]
        named = (Path(os.environ[name]) for name in _NAMED if os.environ.get(name))
        system = (*map(Path, _SYSTEM), *(Path("/etc", name) for name in _ETC), *named, *_python_folders(), PROJECT)
        for rights, places in ((landlock.READ, (*system, *self.read)), (_WRITE, self.write)):
            yield from ((part, rights) for place in places for part in _beside(place, hidden))
        for entry in _import_folders():
            modules = filter(_is_module, entry.iterdir()) if _contains(entry, hidden) else (entry,)
            yield from ((module, landlock.READ) for module in modules)
        yield from ((Path(device), _DEVICE) for device in _DEVICES)
        yield Path("/dev/shm"), _WRITE  # noqa: S108  semaphores of multiprocessing


def environment(temp: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process of domain code: that of this process, with its own folders and without the key.

    With the key for masking, values could be found from their tokens by trying all.
    """
    folders = {name: str(temp / folder) for name, folder in _CACHES.items()}
    variables = {**os.environ, **folders, **resources.current().environment(temp), **more}
    variables.pop(MASK_KEY, None)
    return variables


@contextmanager
def confined(places: Places, temp: Path) -> Iterator[tuple[list[str], list[int]]]:
    """Yield what a command begins with that is confined to these places and `temp`, and the descriptors it inherits.

    Both are empty where `landlock.version` is 0.
    """
    if not landlock.version():
        yield [], []
        return
    ruleset = landlock.new_ruleset()
    try:
        for place, rights in (*places.rights(), (temp, _OWN)):
            landlock.add(ruleset, str(place), rights)
        yield [sys.executable, "-I", "-S", landlock.__file__, str(ruleset)], [ruleset]
    finally:
        os.close(ruleset)


def refused_path(message: str, folder: Path) -> Path | None:
    """Return the path in a message which says that a file must not be opened; None for any other message.

    A relative path is one below `folder`. One that polars has shortened begins with `SHORTENED`.
    """
    match = _NAMED_PATH.search(message) if _DENIED.search(message) else None
    path = match and (match["rest"] or match["quoted"] or match["plain"])
    return folder / path if path else Path(match["shortened"]) if match and match["shortened"] else None


def _python_folders() -> set[Path]:
    """The folders of this Python and its libraries, and the sources of packages that are installed as links to them."""
    mapped = (getattr(module, "MAPPING", {}) for name, module in sys.modules.items() if name.startswith("__editable__"))
    sources = {Path(folder) for mapping in mapped for folder in mapping.values()}
    prefixes = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix), Path(sys.executable).resolve().parent}
    libraries = {Path(entry) for entry in os.environ.get("LD_LIBRARY_PATH", "").split(":") if entry}
    return {Path(__file__).parents[1], *sources, *prefixes, *libraries}


def _import_folders() -> set[Path]:
    """The folders from which this process imports, except its working folder, where it happens to be."""
    return {Path(entry) for entry in sys.path if entry and Path(entry) != Path.cwd() and Path(entry).exists()}


def _is_module(path: Path) -> bool:
    return path.suffix == ".py" or (path / "__init__.py").is_file()


def _contains(folder: Path, hidden: Iterable[Path]) -> bool:
    real = os.path.join(os.path.realpath(folder), "")  # noqa: PTH118  a path has no slash at its end
    return any(f"{place}/".startswith(real) for place in hidden)


def _beside(folder: Path, hidden: Iterable[Path]) -> Iterator[Path]:
    """Yield a folder, or all parts of it that are no hidden folder and contain none."""
    if not _contains(folder, hidden):
        yield folder
    elif folder.resolve() not in hidden and folder.is_dir():
        for child in sorted(folder.iterdir()):
            yield from _beside(child, hidden)
