"""Confinement of domain code: the files its processes may read and write, which Landlock enforces on Linux."""

import ctypes
import os
import re
import struct
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kit.core.mask_key import MASK_KEY
from kit.core.processes import end_with_parent

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF, _PATH_BENEATH = 444, 445, 446, 1
_SET_NO_NEW_PRIVS = 38
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_DIR, _REMOVE_FILE = (1 << bit for bit in range(6))
_MAKE_DIR, _MAKE_REG, _MAKE_SOCK, _MAKE_FIFO = (1 << bit for bit in range(7, 11))
_MAKE_SYM, _REFER, _TRUNCATE, _IOCTL_DEV = (1 << bit for bit in range(12, 16))
_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""The number of rights that each version of the interface knows; later versions know those of the last one."""
_SCOPE_SIGNAL = 2
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE = _READ | _WRITE_FILE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG
# A link in a folder of the domain could lead a later reader, who is not confined, to any file.
_OWN = _WRITE | _MAKE_SYM | _MAKE_SOCK | _MAKE_FIFO | _REFER
_DEVICE = _READ_FILE | _WRITE_FILE | _IOCTL_DEV

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
_NAMED_PATH = re.compile(r"""(?P<quote>['"])(?P<quoted>/.+?)(?P=quote)|(?<![\w./])(?P<plain>/[^\s'":,;)\]]+)""")


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
        """Whether a file may be read; links in `path` are followed."""
        real = path.resolve()
        return any(real.is_relative_to(place.resolve()) for place, _ in self.rights())

    def rights(self) -> Iterator[tuple[Path, int]]:
        """Yield each place with its rights."""
        hidden = [folder.resolve() for folder in self.hidden]
        named = (Path(os.environ[name]) for name in _NAMED if os.environ.get(name))
        system = (*map(Path, _SYSTEM), *(Path("/etc", name) for name in _ETC), *named, *_python_folders())
        for rights, places in ((_READ, (*system, *self.read)), (_WRITE, self.write)):
            yield from ((part, rights) for place in places for part in _beside(place, hidden))
        for entry in _import_folders():
            modules = filter(_is_module, entry.iterdir()) if _contains(entry, hidden) else (entry,)
            yield from ((module, _READ) for module in modules)
        yield from ((Path(device), _DEVICE) for device in _DEVICES)
        yield Path("/dev/shm"), _WRITE  # noqa: S108  semaphores of multiprocessing


def landlock_version() -> int:
    """Return the version of Landlock's interface; 0 where the system cannot confine a process."""
    return max(0, _syscall(_CREATE_RULESET, None, 0, 1)) if sys.platform == "linux" else 0


def environment(temp: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process of domain code: that of this process, with its own folders and without the key.

    With the key for masking, values could be found from their tokens by trying all.
    """
    folders = {name: str(temp / folder) for name, folder in _CACHES.items()}
    variables = {**os.environ, **folders, **more}
    variables.pop(MASK_KEY, None)
    return variables


@contextmanager
def confined(places: Places, temp: Path) -> Iterator[Callable[[], None]]:
    """Yield the `preexec_fn` that confines a new process to these places and `temp`, and ends it with its parent.

    It confines nothing where `landlock_version` is 0. An error in it prevents the process.
    """
    version = landlock_version()
    if not version:
        yield end_with_parent
        return
    known = (1 << _BITS.get(version, _BITS[max(_BITS)])) - 1
    attributes = struct.pack("QQQ", known, 0, _SCOPE_SIGNAL if version >= 6 else 0)
    ruleset = _checked(_syscall(_CREATE_RULESET, attributes, len(attributes), 0))
    try:
        for place, rights in (*places.rights(), (temp, _OWN)):
            _add(ruleset, place, rights & known)

        def begin() -> None:
            end_with_parent()
            _add(ruleset, Path("/proc/self"), _READ)  # that of the new process
            _checked(ctypes.CDLL(None, use_errno=True).prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
            _checked(_syscall(_RESTRICT_SELF, ruleset, 0))

        yield begin
    finally:
        os.close(ruleset)


def refused_path(message: str) -> Path | None:
    """Return the path in a message which says that a file must not be opened; None for any other message."""
    match = _NAMED_PATH.search(message) if _DENIED.search(message) else None
    return Path(match["quoted"] or match["plain"]) if match else None


def _add(ruleset: int, place: Path, rights: int) -> None:
    """Add rights to a file, or to a folder and all below it; a place that does not exist is left out."""
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
        try:
            allowed = rights if place.is_dir() else rights & _OF_FILES
            rule = struct.pack("=Qi", allowed, descriptor)
            _checked(_syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0))
        finally:
            os.close(descriptor)


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    values = (ctypes.c_long(item) if isinstance(item, int) else ctypes.c_char_p(item) for item in arguments)
    return int(ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *values))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"Landlock: {os.strerror(number)}")
    return result


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
    return any(place.is_relative_to(folder.resolve()) for place in hidden)


def _beside(folder: Path, hidden: Iterable[Path]) -> Iterator[Path]:
    """Yield a folder, or all parts of it that are no hidden folder and contain none."""
    if not _contains(folder, hidden):
        yield folder
    elif folder.resolve() not in hidden and folder.is_dir():
        for child in sorted(folder.iterdir()):
            yield from _beside(child, hidden)
