"""A PostgreSQL server of a test, from Debian's package `postgresql`, in a temporary folder and on loopback."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.limits import HANG

PASSWORD = "s3cret-of-the-test/1%"
"""The password of the user of the tests; it has characters that URLs escape."""

_ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True)
class PostgresServer:
    """A running server. Its user `kit` owns the database `shop`; connections need the password."""

    folder: Path
    port: int

    @property
    def dsn(self) -> str:
        """The address of the database as a URL, with the password."""
        return f"postgresql://kit:s3cret-of-the-test%2F1%25@127.0.0.1:{self.port}/shop"

    def sql(self, *statements: str, database: str = "shop") -> str:
        """Run statements with psql, each in a transaction of its own, and return what it prints: a row on each line."""
        arguments = [part for statement in statements for part in ("-c", statement)]
        done = subprocess.run(
            [_program("psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "kit", "-d", database, "-v", "ON_ERROR_STOP=1",
             "-qAtX", *arguments],
            env={**os.environ, "PGPASSWORD": PASSWORD}, capture_output=True, text=True, check=False, timeout=HANG,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def restart_with_tls(self, certificates: Path, *access: str) -> None:
        """Start again with TLS by the files `server.crt`, `server.key` and `ca.crt`, and with these lines of pg_hba.conf."""
        for name in ("server.crt", "server.key", "ca.crt"):
            target = self.folder / name
            shutil.copy(certificates / name, target)
            target.chmod(0o600)
            if account := _account():
                os.chown(target, account.pw_uid, account.pw_gid)
        (self.folder / "data/pg_hba.conf").write_text("".join(f"{line}\n" for line in access))
        self.stop()
        names = {"cert": "server.crt", "key": "server.key", "ca": "ca.crt"}
        self.start("ssl=on", *(f"ssl_{option}_file={self.folder / name}" for option, name in names.items()))

    def stop(self) -> None:
        """Stop the server at once, as a crash does."""
        _as_account(["pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop"])

    def start(self, *options: str) -> None:
        """Start the server, with further settings `name=value`."""
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}", "fsync=off"]
        line = " ".join(f"-c {setting}" for setting in (*settings, *options))
        log = str(self.folder / "log")
        _as_account(["pg_ctl", "-D", str(self.folder / "data"), "-w", "-t", "60", "-l", log, "-o", line, "start"])


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A server for the tests of a module; they are skipped with the reason where it cannot be started."""
    if reason := missing():
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="kit-postgres-"))
    server = PostgresServer(folder, _free_port())
    try:
        if account := _account():
            os.chown(folder, account.pw_uid, account.pw_gid)
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        _as_account(
            ["initdb", "-D", str(folder / "data"), "-U", "kit", "--pwfile", str(password), "-A", "scram-sha-256", "-E", "UTF8",
             "--locale", "C.UTF-8", "--no-sync"]
        )  # fmt: skip
        server.start()
        server.sql("create database shop", database="postgres")
        yield server
    finally:
        if (folder / "data/postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def missing() -> str:
    """Return why no server can be started; empty when one can."""
    if shutil.which("openssl") is None:  # a package that Debian's PostgreSQL needs
        return "openssl is not installed: apt-get install openssl"
    if _program("initdb") is None or _program("psql") is None:
        return "PostgreSQL is not installed: apt-get install postgresql"
    if os.geteuid() == 0 and _account() is None:
        return f"PostgreSQL does not run as root, and there is no account {' or '.join(_ACCOUNTS)}"
    return ""


def _program(name: str) -> str | None:
    """The newest program of Debian's packages, which are not on the path, or one that is."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4].partition(".")[0]))
    return str(found[-1]) if found else shutil.which(name)


def _account() -> pwd.struct_passwd | None:
    """The account under which the server runs, when this process is root's."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    return None


def _as_account(command: Sequence[str]) -> None:
    account = _account()
    user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    done = subprocess.run(
        [str(_program(command[0])), *command[1:]], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False, timeout=HANG, **user,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
