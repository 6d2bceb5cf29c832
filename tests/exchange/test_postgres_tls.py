"""TLS of PostgreSQL: a source and `kit serve postgres` with every mode, authority, host and client certificate."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

import pytest

from kit.core.config import Config
from kit.core.errors import IngestError, KitError
from kit.exchange.postgres import push
from kit.ingest.postgres import Postgres
from tests.support import certificates
from tests.support.files import write
from tests.support.postgres import PASSWORD, PostgresServer, postgres  # noqa: F401  a fixture

pytestmark = pytest.mark.heavy

USER = "kit:s3cret-of-the-test%2F1%25"
WITHOUT_CERTIFICATE, WITH_CERTIFICATE = "hostssl all all all scram-sha-256", "hostssl certified all all cert"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authorities `ca` and `other`, a server of the host `localhost`, and clients."""
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ca", "other"):
        certificates.authority(folder, name)
    certificates.certificate(folder, "ca", "server", "localhost")
    certificates.certificate(folder, "ca", "client", "kit")
    certificates.certificate(folder, "ca", "nobody", "nobody")
    certificates.certificate(folder, "other", "stranger", "kit")
    certificates.encrypt_key(folder, "client", "encrypted", "open-sesame")
    shutil.copy(folder / "client.key", folder / "public.key")
    (folder / "public.key").chmod(0o644)
    return folder


@pytest.fixture(scope="module")
def server(postgres: PostgresServer, files: Path) -> Iterator[PostgresServer]:  # noqa: F811
    """A server that takes connections with TLS only: to `shop` with a password, to `certified` with a certificate."""
    postgres.sql("create database certified", database="postgres")
    postgres.restart_with_tls(files, "local all all trust", WITH_CERTIFICATE, WITHOUT_CERTIFICATE)
    return postgres


def address(server: PostgresServer, host: str, database: str, options: Mapping[str, str], files: Path) -> str:
    """The address; a value such as `ca.crt` is the path of a file."""
    values = {name: str(files / value) if value.endswith((".crt", ".key")) else value for name, value in options.items()}
    return f"postgresql://{USER}@{host}:{server.port}/{database}?{urlencode(values, safe='/')}"


def problem(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The sentence of a source for an address, which is that of `kit serve postgres` too; empty when both connect."""
    write(tmp_path / "pyproject.toml", "[tool.kit]\n")
    monkeypatch.setenv("SHOP_DSN", dsn)
    found = []
    try:
        Postgres(dsn_env="SHOP_DSN", query="select 1 as a").check()
    except IngestError as error:
        found.append(str(error))
    try:
        list(push(Config.load(tmp_path, {}), "SHOP_DSN"))
    except KitError as error:
        assert str(error).startswith("PostgreSQL at SHOP_DSN: ")
        found.append(str(error).removeprefix("PostgreSQL at SHOP_DSN: "))
    assert [secret for secret in (PASSWORD, USER[4:], "wrong-pass") if secret in " ".join(found)] == []
    assert found in ([], found[:1] * 2)
    return found[0] if found else ""


FULL = {"sslmode": "verify-full", "sslrootcert": "ca.crt"}
CLIENT = {**FULL, "sslcert": "client.crt", "sslkey": "client.key"}


@pytest.mark.parametrize(
    ("host", "database", "options"),
    [
        ("localhost", "shop", {}),
        ("127.0.0.1", "shop", {"sslmode": "require"}),
        ("127.0.0.1", "shop", {"sslmode": "verify-ca", "sslrootcert": "ca.crt"}),
        ("localhost", "shop", FULL),
        ("localhost", "certified", CLIENT),
        ("localhost", "certified", {**CLIENT, "sslkey": "encrypted.key", "sslpassword": "open-sesame"}),
    ],
)
def test_right_options_connect(
    server: PostgresServer, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, database: str,
    options: dict[str, str],
) -> None:  # fmt: skip
    assert problem(address(server, host, database, options, files), tmp_path, monkeypatch) == ""


@pytest.mark.parametrize(
    ("host", "database", "options", "sentence"),
    [
        (
            "localhost", "shop", {"sslmode": "verify-ca", "sslrootcert": "other.crt"},
            "the certificate of the server is of no CA in sslrootcert=FILES/other.crt, or has expired",
        ),
        (
            "127.0.0.1", "shop", FULL,
            'server certificate for "localhost" (and 1 other name) does not match host name "127.0.0.1"; '
            "sslmode=verify-full needs a host of the certificate in the address",
        ),
        (
            "localhost", "shop", {"sslmode": "verify-full", "sslrootcert": "absent.crt"},
            "there is no file FILES/absent.crt, which sslmode=verify-full needs; name another one by sslrootcert",
        ),
        (
            "localhost", "shop", {"sslmode": "verify-full", "sslrootcert": "ca.key"},
            "sslrootcert=FILES/ca.key cannot be read as certificates; it is a PEM file, which a source declares in `reads`",
        ),
        (
            "localhost", "shop", {"sslmode": "verify"},
            'invalid sslmode value: "verify"; it is one of disable, allow, prefer, require, verify-ca and verify-full',
        ),
        (
            "127.0.0.1", "shop", {"sslmode": "disable"},
            'no pg_hba.conf entry for host "127.0.0.1", user "kit", database "shop", no encryption; with TLS it may be '
            "another: sslmode=require",
        ),
        (
            "localhost", "certified", FULL,
            "connection requires a valid client certificate: sslcert=(not set), sslkey=(not set)",
        ),
        (
            "localhost", "certified", {**CLIENT, "sslcert": "stranger.crt", "sslkey": "stranger.key"},
            "the server does not know the CA of the client certificate sslcert=FILES/stranger.crt",
        ),
        (
            "localhost", "certified", {**CLIENT, "sslcert": "nobody.crt", "sslkey": "nobody.key"},
            'certificate authentication failed for user "kit", of whom sslcert=FILES/nobody.crt is not',
        ),
        (
            "localhost", "certified", {**CLIENT, "sslkey": "nobody.key"},
            "sslkey=FILES/nobody.key is not the key of sslcert=FILES/client.crt",
        ),
        (
            "localhost", "certified", {**CLIENT, "sslkey": "absent.key"},
            "there is no private key FILES/absent.key; name another one by sslkey",
        ),
        (
            "localhost", "certified", {**CLIENT, "sslkey": "encrypted.key"},
            "sslkey=FILES/encrypted.key is encrypted, and sslpassword is not its password",
        ),
        (
            "localhost", "certified", {**CLIENT, "sslkey": "encrypted.key", "sslpassword": "wrong-pass"},
            "sslkey=FILES/encrypted.key is encrypted, and sslpassword is not its password",
        ),
    ],
)  # fmt: skip
def test_wrong_options_are_one_sentence_that_names_them(
    server: PostgresServer, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, database: str,
    options: dict[str, str], sentence: str,
) -> None:  # fmt: skip
    found = problem(address(server, host, database, options, files), tmp_path, monkeypatch)
    assert found.replace(str(files), "FILES") == sentence


def test_a_key_that_others_may_read_is_named(
    server: PostgresServer, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = problem(address(server, "localhost", "certified", {**CLIENT, "sslkey": "public.key"}, files), tmp_path, monkeypatch)
    assert found.startswith(f'sslkey: private key file "{files}/public.key" has group or world access')


def test_a_server_without_tls_is_named(
    server: PostgresServer, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.stop()
    server.start("ssl=off")
    found = problem(address(server, "localhost", "shop", {"sslmode": "require"}, files), tmp_path, monkeypatch)
    assert found == "the server has no TLS, which sslmode=require needs"
