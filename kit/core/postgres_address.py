"""The address of a PostgreSQL database: its options, those of a lasting connection, and errors without its secrets."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from kit.core.errors import KitError

_CONNECTION = {"connect_timeout": "15", "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
"""Options of a connection that find out that a server has gone; those of the address come first."""

_PAIR = re.compile(r"\b(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:\\.|[^\s\\])+)")
_PASSWORDS = ("password", "sslpassword")
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
    """The address in the environment variable `variable`: a URL, or a string of pairs as libpq reads it."""

    variable: str
    dsn: str = field(repr=False)

    @classmethod
    def from_environment(cls, variable: str) -> "PostgresAddress":
        """Return the address in an environment variable; raises `KitError` where there is none, or a URL cannot be read."""
        dsn = os.environ.get(variable, "").strip()
        if not dsn:
            raise KitError(
                f"the environment variable {variable} is not set; set it to the address of the database, such as "
                "postgresql://USER:PASSWORD@HOST/DATABASE"
            )
        address = cls(variable, dsn)
        if "://" in dsn and not address._has_sound_user:
            raise KitError(
                f"the address in {variable} has a user or password with a character that a URL escapes: write %40 for @, "
                "%2F for /, %25 for %"
            )
        return address

    @property
    def options(self) -> Mapping[str, str]:
        """The options of the connection by name; of a URL without user, host and database."""
        if "://" in self.dsn:
            return dict(parse_qsl(urlsplit(self.dsn).query, keep_blank_values=True))
        return {name: re.sub(r"\\(.)", r"\1", value.strip("'")) for name, value in _PAIR.findall(self.dsn)}

    @property
    def place(self) -> str:
        """Host, port and database, without user and password."""
        if "://" in self.dsn:
            address = urlsplit(self.dsn)
            return f"{address.netloc.rpartition('@')[2]}{address.path}"
        found = re.findall(r"\b(host|hostaddr|port|dbname|service)\s*=\s*('[^']*'|\S+)", self.dsn)
        return " ".join(f"{name}={value}" for name, value in sorted(found))

    @property
    def server(self) -> tuple[str, str]:
        """Host and port of the first of its servers; empty where the address names none. A socket is `localhost`."""
        options = dict(self.options)
        if "://" in self.dsn:
            first = urlsplit(self.dsn).netloc.rpartition("@")[2].partition(",")[0]
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
        if "://" in self.dsn:
            joint = "" if self.dsn.endswith(("?", "&")) else "&" if "?" in self.dsn else "?"
            return self.dsn + joint + "&".join(pairs)
        return " ".join([self.dsn, *pairs])

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
    def _has_sound_user(self) -> bool:
        """Whether user and password of a URL end where libpq takes them to end, at the first `@` or `/`."""
        found = re.match(r"[^@/]*", rest := self.dsn.partition("://")[2])
        user = found[0] if found else ""
        if rest[len(user) :].startswith("@"):
            return "@" not in re.split(r"[/?]", rest[len(user) + 1 :])[0] and not re.search(r"%(?![0-9A-Fa-f]{2})", user)
        return "@" not in rest.partition("?")[0]

    def _without_secrets(self, text: str) -> str:
        text = text.replace(self.connection, "the server").replace(self.dsn, "the server")
        for password in self._passwords():
            text = text.replace(password, "[password]")
        return text

    def _passwords(self) -> list[str]:
        """The passwords in the forms in which a message may contain them."""
        found = [self.options.get(name, "") for name in _PASSWORDS]
        if "://" in self.dsn:
            written = self.dsn.partition("://")[2].partition("@")[0].partition(":")[2]
            found += [written, unquote(written)] if "@" in self.dsn else []
        else:
            found += [value for name, value in _PAIR.findall(self.dsn) if name in _PASSWORDS]
        return sorted(filter(None, found), key=len, reverse=True)
