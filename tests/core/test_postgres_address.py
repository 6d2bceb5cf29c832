import pytest

from kit.core.errors import KitError
from kit.core.postgres_address import PostgresAddress

URL = "postgresql://kit:hid%20den@db/shop"
PAIRS = "host=db dbname=shop user=kit password='hid den'"


def address(dsn: str) -> PostgresAddress:
    return PostgresAddress("SHOP_DSN", dsn)


def failed(reason: str, dsn: str = URL) -> str:
    made = address(dsn)
    return made.reason(f'IO Error: Unable to connect to Postgres at "{made.connection}": {reason}\n')


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:se@cret@host/db",
        "postgresql://me:se/cret@host/db",
        "postgresql://me:se%cret@host/db",
        "postgres://me:a/b@",
    ],
)
def test_a_url_that_would_disclose_its_password_is_refused(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    monkeypatch.setenv("SHOP_DSN", dsn)
    with pytest.raises(KitError, match="the address in SHOP_DSN is no URL that libpq reads") as e:
        PostgresAddress.from_environment("SHOP_DSN")
    assert "cret" not in str(e.value)


@pytest.mark.parametrize(
    ("dsn", "place", "passwords"),
    [
        ("postgresql://me:p%40ss@db:5432/shop?sslmode=require", "db:5432/shop", ["p%40ss", "p@ss"]),
        ("postgresql://me:a?b#c[d]:e@db/shop", "db/shop", ["a?b#c[d]:e"]),
        ("postgres://db:5432/shop", "db:5432/shop", []),
        ("postgres://[::1]:1,other:2/shop?user=a@b&password=p%25", "[::1]:1,other:2/shop", ["p%25", "p%"]),
        ("postgresql:///shop?host=/tmp", "/shop", []),
        ("host=db port=1 dbname=shop user=me password=it's", "dbname=shop host=db port=1", ["it's"]),
        (r"dbname=shop password = 'a \' b\\'", "dbname=shop", [r"a \' b\\", r"a ' b" + "\\"]),
    ],
)
def test_an_address_has_a_place_and_passwords(dsn: str, place: str, passwords: list[str]) -> None:
    made = address(dsn)
    assert (made.problem, made.place, made.passwords) == ("", place, passwords)


@pytest.mark.parametrize(
    ("dsn", "password"),
    [
        ("postgresql://me:p@ss@db/shop", "p@ss"),
        ("postgresql://me:p/ss@db/shop", "p/ss"),
        ("postgresql://me:a?b/c@db/shop", "a?b/c"),
        ("postgresql://me:per%zz@db/shop", "per%zz"),
        ("postgresql://me@db/shop?password=per%zz", "per%zz"),
    ],
)
def test_a_url_with_signs_that_are_not_escaped_is_a_problem(dsn: str, password: str) -> None:
    assert address(dsn).problem.startswith("is no URL that libpq reads; write @ as %40, / as %2F")
    assert password in address(dsn).passwords


@pytest.mark.parametrize("dsn", ["dbname=shop password=a b", "dbname=shop password='a", "shop", "password='a'b'"])
def test_a_string_whose_values_end_early_is_a_problem(dsn: str) -> None:
    assert address(dsn).problem.startswith("is no string that libpq reads; write a value with spaces as password='…'")


@pytest.mark.parametrize(
    "dsn",
    [URL, PAIRS, "postgresql:///shop", "postgresql://db:5432/shop?user=me@example.com", "postgres://me%40example.com:p:w?#@db"],
)
def test_other_addresses_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    monkeypatch.setenv("SHOP_DSN", f" {dsn}\n")
    assert PostgresAddress.from_environment("SHOP_DSN").dsn == dsn


@pytest.mark.parametrize(
    ("dsn", "secrets"),
    [
        (URL, ["hid den", "hid%20den"]), (PAIRS, ["hid den"]), (f"{URL}?sslpassword=open", ["hid den", "open"]),
        (f"{PAIRS} sslpassword=open", ["hid den", "open"]), ("postgresql://me:a:b@db", ["a:b"]),
        (r"host=db password=hid\ den", ["hid den", r"hid\ den"]),
    ],
)  # fmt: skip
def test_its_secrets_are_in_no_message(dsn: str, secrets: list[str]) -> None:
    made = address(dsn)
    for message in (*secrets, f"at {dsn}", f"at {made.connection}"):
        text = made.reason(f"failed for {message}")
        assert [secret for secret in secrets if secret in text] == []
    assert [secret for secret in secrets if secret in repr(made)] == []


def test_a_wrong_string_is_not_repeated() -> None:
    text = 'missing "=" after "den" in connection info string'
    assert failed(text, "host=db password=hid den") == (
        "it is no URL and no pairs such as host=HOST dbname=NAME; quote a value with blanks: 'a b'"
    )


def test_a_connection_ends_and_never_asks_for_a_password() -> None:
    assert address("host=db connect_timeout=3").connection == (
        "host=db connect_timeout=3 keepalives_idle=30 keepalives_interval=10 keepalives_count=3"
    )
    assert address("postgres://db/?sslkey=a.key").connection.endswith("&sslpassword=none")
    assert "none" not in address("postgres://db/?sslkey=a.key&sslpassword=x").connection


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ('FATAL:  password authentication failed for user "kit"', 'password authentication failed for user "kit"'),
        ("server does not support SSL, but SSL was required", "the server has no TLS, which sslmode=verify-full needs"),
        (
            "SSL error: certificate verify failed",
            "the certificate of the server is of no CA in sslrootcert=/ca.crt, or has expired",
        ),
        ("SSL error: tlsv1 alert unknown ca", "the server does not know the CA of the client certificate sslcert=(not set)"),
        ("permission denied for schema shop", "permission denied for schema shop; the user of the address needs a grant"),
        ("", "the server gave no reason"),
    ],
)
def test_a_reason_names_the_option_at_fault(reason: str, sentence: str) -> None:
    assert failed(reason, f"{URL}?sslmode=verify-full&sslrootcert=/ca.crt") == sentence
    assert failed(reason, f"{PAIRS} sslmode='verify-full' sslrootcert=/ca.crt") == sentence


@pytest.mark.parametrize(
    ("dsn", "server"),
    [
        ("postgresql://me:secret@db.example.com:6432/shop?sslmode=require", ("db.example.com", "6432")),
        ("postgres://me@db1:5433,db2:5434/shop", ("db1", "5433")),
        ("postgres://[::1]/shop", ("[::1]", "")),
        ("postgresql:///shop?host=/var/run/postgresql&port=5433", ("localhost", "5433")),
        ("postgresql:///shop", ("", "")),
        ("host='db' port=6432 password='host=x' dbname=shop", ("db", "6432")),
        ("hostaddr=10.0.0.1 dbname=shop", ("10.0.0.1", "")),
        ("service=shop", ("", "")),
    ],
)
def test_host_and_port_of_an_address(dsn: str, server: tuple[str, str]) -> None:
    assert PostgresAddress("SHOP_DSN", dsn).server == server
