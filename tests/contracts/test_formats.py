"""Formats of the standard, judged by DuckDB."""

import duckdb
import pytest

from kit.contracts.formats import format_condition


def has_format(value: str, name: str, kind: str = "varchar") -> bool:
    condition, problem = format_condition("v", name, kind)
    assert condition, problem
    return bool(duckdb.execute(f"select {condition} from (select ?::{kind} as v)", [value]).fetchall()[0][0])


@pytest.mark.parametrize(
    ("name", "sound", "unsound"),
    [
        ("uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567e89b12d3a456426614174000", "x", ""]),
        ("ipv4", ["0.0.0.0", "255.255.255.255", "10.1.2.3"], ["256.1.1.1", "1.2.3", "01.2.3.4", "1.2.3.4.5"]),
        ("ipv6", ["::", "::1", "1::", "2001:db8::8a2e:370:7334", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "1:2:3:4:5:6:7::",
                  "1::8", "1:2:3:4:5:6:1.2.3.4", "fe80::1:2:3:4", "::2:3:4:5:6:7:8"],
         [":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1::", "12345::", "1:2:3:4:5:6:7:8::", "::256.1.1.1", "1.2.3.4", ""]),
        ("hostname", ["localhost", "a.b-c.example", "1.example"],
         ["-a", "a-", "a..b", "a_b", "", "a" * 64, "a." * 127 + "aaaa"]),
        ("email", ["a@b", "ann.lee+x@example.com"], ["a", "a@", "@b", "a b@c", "a@b@c"]),
        ("uri", ["https://a.example/b?c=d#e", "mailto:a@b", "urn:isbn:1"], ["a.example", "http://a b", "http://%zz", ":a"]),
        ("byte", ["", "QUJD", "QQ==", "QUI="], ["QQ=", "Q", "QUI", "Q*=="]),
    ],
)  # fmt: skip
def test_texts(name: str, sound: list[str], unsound: list[str]) -> None:
    assert [text for text in sound if not has_format(text, name)] == []
    assert [text for text in unsound if has_format(text, name)] == []


def test_moments_of_whole_seconds() -> None:
    for kind, name, day in (("timestamp", "yyyy-MM-dd HH:mm:ss", "2024-01-01 "), ("time", "HH:mm:ss", "")):
        assert has_format(f"{day}10:00:59", name, kind)
        assert not has_format(f"{day}10:00:59.5", name, kind)


@pytest.mark.parametrize(
    ("kind", "name", "condition"),
    [
        ("bigint", "i64", ""), ("integer", "i64", ""), ("bigint", "i32", "v >= -2147483648 and v <= 2147483647"),
        ("bigint", "u8", "v >= 0 and v <= 255"), ("utinyint", "u8", ""), ("utinyint", "i8", "v <= 127"),
        ("ubigint", "i128", ""),
        ("decimal(38,0)", "i128", ""), ("decimal(38,0)", "u128", "v >= 0"), ("float", "f32", ""), ("float", "f64", ""),
        ("double", "f64", ""), ("double", "f32", "try_cast(v as float)::double = v"), ("uuid", "uuid", ""),
        ("date", "yyyy-MM-dd", ""), ("blob", "binary", ""),
    ],
)  # fmt: skip
def test_a_format_that_the_type_implies_needs_no_condition(kind: str, name: str, condition: str) -> None:
    assert format_condition("v", name, kind) == (condition, "")


@pytest.mark.parametrize(
    ("kind", "name", "problem"),
    [
        (
            "varchar",
            "password",
            "of varchar values it cannot be checked; there are: uuid, ipv4, ipv6, hostname, email, uri, byte",
        ),
        ("date", "dd.MM.yyyy", "of date values it cannot be checked; there are: yyyy-MM-dd"),
        ("timestamp", "HH", "of timestamp values it cannot be checked; there are: yyyy-MM-dd HH:mm:ss"),
        ("decimal(9,2)", "f32", "of decimal(9,2) values it cannot be checked; delete it"),
        ("double", "i32", "of double values it cannot be checked; delete it"),
    ],
)  # fmt: skip
def test_a_format_that_cannot_be_checked_is_named(kind: str, name: str, problem: str) -> None:
    assert format_condition("v", name, kind) == (None, problem)
