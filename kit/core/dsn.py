"""Addresses of PostgreSQL databases: whether libpq reads one as it is meant, and the passwords in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

_HOST = r"(?:\[[^\]]*\]|[^@/?:,\[\]]*)(?::[0-9]*)?"
_URL = re.compile(
    r"[A-Za-z][A-Za-z0-9+]*://(?:[^@/:]*(?P<password>:[^@/]*)?@)?"
    rf"(?P<place>{_HOST}(?:,{_HOST})*(?:/[^@/?]*)?)(?P<options>\?(?:[A-Za-z_]+=[^&]*(?:&[A-Za-z_]+=[^&]*)*)?)?"
)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_VALUE = r"(?:'(?:[^'\\]|\\.)*'|(?:(?:[^\s\\']|\\.)(?:[^\s\\]|\\.)*)?)(?=\s|$)"
_OPTION = re.compile(rf"(\w+)\s*=\s*({_VALUE})")
_STRING = re.compile(rf"(?:\s*\w+\s*=\s*{_VALUE})*\s*")
_PASSWORD = re.compile(r"\b(?:ssl)?password\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s\\&]|\\.)+)")
_OF_PLACE = ("host", "hostaddr", "port", "dbname", "service")


@dataclass(frozen=True)
class Dsn:
    """The address of a database as people write it: a URL, or a string of libpq such as `host=db password='a b'`."""

    text: str

    @property
    def problem(self) -> str:
        """What to correct where libpq reads other parts than are meant, and would quote them in errors; else empty."""
        if self._is_url and (not _URL.fullmatch(self.text) or _BROKEN_ESCAPE.search(self.text)):
            return "is no URL that libpq reads; write @ as %40, / as %2F, ? as %3F and % as %25 in user, password and options"
        if not self._is_url and not _STRING.fullmatch(self.text):
            return r"is no string that libpq reads; write a value with spaces as password='…', with \' for ' and \\ for \ in it"
        return ""

    @property
    def place(self) -> str:
        """Host, port and database, without user and password."""
        if self._is_url:
            found = _URL.fullmatch(self.text)
            return found["place"] if found else ""
        return " ".join(f"{name}={value}" for name, value in sorted(_OPTION.findall(self.text)) if name in _OF_PLACE)

    @property
    def passwords(self) -> list[str]:
        """The passwords, as they are written and as they are, also in an address that libpq does not read as meant."""
        written = [text.strip("'") for text in _PASSWORD.findall(self.text)]
        rest = self.text.partition("://")[2]
        if found := _URL.fullmatch(self.text):
            written.append((found["password"] or "").removeprefix(":"))
        else:  # one with @ or / in it ends at the last @, which may be before the options or in them
            parts = (rest.partition("?")[0], rest)
            written += [part.rpartition("@")[0].partition(":")[2] for part in parts]
        forms = (form for text in written for form in (text, unquote(text), re.sub(r"\\(.)", r"\1", text)))
        return [form for form in dict.fromkeys(forms) if form]

    def split(self) -> tuple[str, dict[str, str]]:
        """Return a URL without its options, and these."""
        found = _URL.fullmatch(self.text)
        options = (found and found["options"]) or ""
        return self.text.removesuffix(options), dict(parse_qsl(options[1:], keep_blank_values=True))

    def with_options(self, options: Mapping[str, str]) -> str:
        """Return the text of the address with further options; its own come first."""
        missing = [f"{name}={value}" for name, value in options.items() if not re.search(rf"\b{name}\s*=", self.text)]
        if not self._is_url:
            return " ".join([self.text, *missing])
        found = _URL.fullmatch(self.text)
        return f"{self.text}{'&' if found and found['options'] else '?'}{'&'.join(missing)}"

    @property
    def _is_url(self) -> bool:
        return "://" in self.text
