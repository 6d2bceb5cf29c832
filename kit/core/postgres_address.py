"""The address of a PostgreSQL database: its options and secrets, and errors without these."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from kit.core.errors import KitError

_CONNECTION = {"connect_timeout": "15", "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
"""Options of a connection that find out that a server has gone; those of the address come first."""

_HOST = r"(?:\[[^\]]*\]|[^@/?:,\[\]]*)(?::[0-9]*)?"
_URL = re.compile(
    r"[A-Za-z][A-Za-z0-9+]*://(?:[^@/:]*(?P<password>:[^@/]*)?@)?"
    rf"(?P<place>{_HOST}(?:,{_HOST})*(?:/[^@/?]*)?)(?P<options>\?(?:[A-Za-z_]+=[^&]*(?:&[A-Za-z_]+=[^&]*)*)?)?"
)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_VALUE = r"(?:'(?:[^'\\]|\\.)*'|(?:(?:[^\s\\']|\\.)(?:[^\s\\]|\\.)*)?)(?=\s|$)"
_PAIR = re.compile(rf"(\w+)\s*=\s*({_VALUE})")
_PAIRS = re.compile(rf"(?:\s*\w+\s*=\s*{_VALUE})*\s*")
_PASSWORD = re.compile(r"\b(?:ssl)?password\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s\\&]|\\.)+)")
_OF_PLACE = ("host", "hostaddr", "port", "dbname", "service")
_HINTS: Mapping[str, str] = {
    r"server does not support SSL": "the server has no TLS, which sslmode={sslmode} needs",
    r"certificate verify failed": "the certificate of the server is of no CA in sslrootcert={sslrootcert}, or has expired",
    r"does not match host name": "{reason}; sslmode=verify-full needs a host of the certificate in the address",
    r'root certificate file "(?P<file>.*)" does not exist': (
        "there is no file {file}, which sslmode={sslmode} needs; name another one by sslrootcert"
    ),
    r'could not read root certificate file "(?P<file>.*?)"': (
        "sslrootcert={file} cannot be read as certificates; it is a PEM file, which a source declares in `reads`"
    ),
    r"requires a valid client certificate": "{reason}: sslcert={sslcert}, sslkey={sslkey}",
    r"alert unknown ca": "the server does not know the CA of the client certificate sslcert={sslcert}",
    r"certificate authentication failed": "{reason}, of whom sslcert={sslcert} is not",
    r"could not read certificate file": "sslcert={sslcert} cannot be read as a certificate",
    r"key values mismatch": "sslkey={sslkey} is not the key of sslcert={sslcert}",
    r"bad decrypt|bad password": "sslkey={sslkey} is encrypted, and sslpassword is not its password",
    r'not private key file "(?P<file>.*)"': "there is no private key {file}; name another one by sslkey",
    r"private key file": "sslkey: {reason}",
    r"no pg_hba\.conf entry .*no encryption": "{reason}; with TLS it may be another: sslmode=require",
    r"invalid sslmode value": "{reason}; it is one of disable, allow, prefer, require, verify-ca and verify-full",
    r"permission denied for (?:database|schema|table|view|sequence)": "{reason}; the user of the address needs a grant",
    r"in connection info string": "it is no URL and no pairs such as host=HOST dbname=NAME; quote a value with blanks: 'a b'",
}
"""Sentences in place of reasons that do not name an option of the address, by the pattern of the reason."""


@dataclass(frozen=True)
class PostgresAddress:
    """The address in the environment variable `variable`: a URL, or pairs as libpq reads them, such as `host=db port=5432`."""

    variable: str
    dsn: str = field(repr=False)

    @classmethod
    def from_environment(cls, variable: str) -> "PostgresAddress":
        """Return the address in an environment variable; raises `KitError` where there is none, or it cannot be read."""
        address = cls(variable, os.environ.get(variable, "").strip())
        if not address.dsn:
            raise KitError(
                f"the environment variable {variable} is not set; set it to the address of the database, such as "
                "postgresql://USER:PASSWORD@HOST/DATABASE"
            )
        if address.problem:
            raise KitError(f"the address in {variable} {address.problem}")
        return address

    @property
    def problem(self) -> str:
        """What to correct where libpq reads other parts than are meant, and would quote them in errors; else empty."""
        if self._is_url and (not self._url or _BROKEN_ESCAPE.search(self.dsn)):
            return "is no URL that libpq reads; write @ as %40, / as %2F, ? as %3F and % as %25 in user, password and options"
        if not self._is_url and not _PAIRS.fullmatch(self.dsn):
            return r"is no string that libpq reads; write a value with spaces as password='…', with \' for ' and \\ for \ in it"
        return ""

    @property
    def options(self) -> Mapping[str, str]:
        """The options of the connection by name; of a URL without user, host and database."""
        if self._is_url:
            return dict(parse_qsl(self._part("options")[1:], keep_blank_values=True))
        return {name: _unquoted(value) for name, value in _PAIR.findall(self.dsn)}

    @property
    def without_options(self) -> str:
        """A URL without its options."""
        return self.dsn.removesuffix(self._part("options"))

    @property
    def place(self) -> str:
        """Host, port and database, without user and password."""
        if self._is_url:
            return self._part("place")
        return " ".join(f"{name}={value}" for name, value in sorted(_PAIR.findall(self.dsn)) if name in _OF_PLACE)

    @property
    def server(self) -> tuple[str, str]:
        """Host and port of the first of its servers; empty where the address names none. A socket is `localhost`."""
        options = dict(self.options)
        if self._is_url:
            first = self.place.partition("/")[0].partition(",")[0]
            host, _, port = first.rpartition(":") if re.search(r":\d*$", first) else (first, "", "")
            options = {"host": unquote(host), "port": port} | options
        host, port = (options.get(name, "").partition(",")[0] for name in ("host", "port"))
        host = host or options.get("hostaddr", "")
        return "localhost" if host.startswith(("/", "@")) else host, port

    @property
    def connection(self) -> str:
        """The address with the options of a connection that ends when its server has gone, and that asks for no password."""
        given = self.options
        # Without one libpq asks the terminal for the password of a key.
        wanted = _CONNECTION | ({"sslpassword": "none"} if "sslkey" in given else {})
        pairs = [f"{name}={value}" for name, value in wanted.items() if name not in given]
        if not self._is_url:
            return " ".join([self.dsn, *pairs])
        joint = "" if self._part("options") == "?" else "&" if self._part("options") else "?"
        return self.dsn + joint + "&".join(pairs)

    @property
    def passwords(self) -> list[str]:
        """The passwords, as they are written and as they are, also in an address that libpq does not read as meant."""
        written = [text.strip("'") for text in _PASSWORD.findall(self.dsn)]
        if self._url:
            written.append(self._part("password").removeprefix(":"))
        else:  # one with @ or / in it ends at the last @, which may be before the options or in them
            rest = self.dsn.partition("://")[2]
            written += [part.rpartition("@")[0].partition(":")[2] for part in (rest.partition("?")[0], rest)]
        forms = (form for text in written for form in (text, unquote(text), re.sub(r"\\(.)", r"\1", text)))
        return [form for form in dict.fromkeys(forms) if form]

    def reason(self, message: str) -> str:
        """Return the reason in an error of DuckDB or of the server, as one line without the address and its passwords.

        It names the option of the address that is at fault, where that is known.
        """
        text = self._without_secrets(message)
        reason = re.split(r"(?:ERROR|FATAL|PANIC):\s+|\bthe server\": ", text)[-1]
        reason = re.sub(r"^[A-Za-z ]+ Error: ", "", reason).strip().partition("\n")[0].strip().rstrip(".")
        unset = dict.fromkeys(("sslcert", "sslkey", "sslrootcert"), "(not set)")
        options = {**unset, "sslmode": os.environ.get("PGSSLMODE", "prefer"), **self.options}
        for pattern, hint in _HINTS.items():
            if found := re.search(pattern, reason):
                bare = re.sub(r"^connection to server .* failed: ", "", reason)
                reason = hint.format_map(options | found.groupdict() | {"reason": bare})
                break
        return self._without_secrets(reason) or "the server gave no reason"

    @property
    def _is_url(self) -> bool:
        return "://" in self.dsn

    @property
    def _url(self) -> re.Match[str] | None:
        return _URL.fullmatch(self.dsn)

    def _part(self, name: str) -> str:
        """A part of a URL; empty where it has none, and of one that libpq does not read."""
        return (self._url and self._url[name]) or ""

    def _without_secrets(self, text: str) -> str:
        text = text.replace(self.connection, "the server").replace(self.dsn, "the server")
        for password in sorted(self.passwords, key=len, reverse=True):
            text = text.replace(password, "[password]")
        return text


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1] if value.startswith("'") else value)
