import pytest

from kit.exchange import datahub_aspects


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("varchar", "StringType"), ("uuid", "StringType"), ("bigint", "NumberType"), ("utinyint", "NumberType"),
        ("uinteger", "NumberType"), ("hugeint", "NumberType"), ("decimal(18,2)", "NumberType"), ("double", "NumberType"),
        ("date", "DateType"), ("timestamp", "TimeType"), ("timestamp with time zone", "TimeType"), ("time", "TimeType"),
        ("boolean", "BooleanType"), ("blob", "BytesType"), ("varchar[]", "ArrayType"), ("decimal(18,2)[]", "ArrayType"),
        ("struct(a integer)", "RecordType"), ("json", "RecordType"), ("interval", "StringType"), ("unknown", "StringType"),
    ],
)  # fmt: skip
def test_types(kind: str, name: str) -> None:
    column = datahub_aspects.Column("c", kind, "", "", required=False, classification=None)
    assert datahub_aspects._field(column, ())["type"]["type"].keys() == {f"com.linkedin.pegasus2avro.schema.{name}"}


def test_characters_with_a_meaning_in_names_are_escaped() -> None:
    assert datahub_aspects.urn("tag", "a(b),c:d e%") == "urn:li:tag:a%28b%29%2Cc%3Ad e%25"
    assert datahub_aspects.urn("corpuser", "jane.roe@example.com") == "urn:li:corpuser:jane.roe@example.com"


def test_a_long_name_is_its_beginning_and_a_digest() -> None:
    first, second = (datahub_aspects.urn("tag", "😀" * 1000 + end) for end in "ab")
    assert first.startswith(f"urn:li:tag:{'%F0%9F%98%80' * 24}-")
    assert len(first) == len(second) <= 512
    assert first != second
    assert datahub_aspects.urn("tag", "a" * 400) == f"urn:li:tag:{'a' * 400}"
