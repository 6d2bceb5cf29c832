import pytest

from kit.ingest.postgres_types import TypeEntry, modifier_of, reading, refusal

TYPES = {
    1: TypeEntry("numeric", "b", 0, -1, 0),
    2: TypeEntry("_numeric", "b", 0, -1, 1),
    3: TypeEntry("price", "d", 1, modifier_of("DECIMAL(8,3)"), 0),
    4: TypeEntry("point", "b", 0, -1, 9),
    5: TypeEntry("mood", "e", 0, -1, 0),
    6: TypeEntry("_mood", "b", 0, -1, 5),
    7: TypeEntry("pair", "c", 0, -1, 0),
    9: TypeEntry("float8", "b", 0, -1, 0),
    10: TypeEntry("_float8", "b", 0, -1, 9),
    11: TypeEntry("timestamptz", "b", 0, -1, 0),
    12: TypeEntry("bytea", "b", 0, -1, 0),
    13: TypeEntry("_bytea", "b", 0, -1, 12),
}


def modifier(precision: int, scale: int) -> int:
    return (precision << 16 | scale & 0x7FF) + 4


@pytest.mark.parametrize(
    ("oid", "typmod", "kind", "cursor"),
    [
        (1, -1, "decimal(38,9)", ""),
        (1, modifier(10, 2), "decimal(10,2)", "numeric(10,2)"),
        (1, modifier(50, 2), "varchar", ""),
        (1, modifier(5, -2), "decimal(7,0)", ""),
        (1, modifier(3, 5), "decimal(5,5)", ""),
        (2, modifier(10, 2), "decimal(10,2)[]", ""),
        (2, -1, "json", ""),
        (3, -1, "decimal(8,3)", "numeric(8,3)"),
        (4, -1, "varchar", ""),
        (5, -1, "varchar", ""),
        (6, -1, "varchar[]", ""),
        (7, -1, "json", ""),
        (9, -1, "double", ""),
        (10, -1, "double[]", ""),
        (11, -1, "timestamp with time zone", "timestamptz"),
        (12, -1, "blob", ""),
        (13, -1, "json", ""),
    ],
)
def test_the_type_of_a_contract_holds_the_values_of_a_type(oid: int, typmod: int, kind: str, cursor: str) -> None:
    found = reading("a", oid, typmod, TYPES)
    assert (found.type, found.cursor) == (kind, cursor)


@pytest.mark.parametrize(("oid", "expression", "kind"), [(1, '"a"::text', "varchar"), (2, 'to_json("a")::text', "json")])
def test_a_column_is_read_as_text_when_that_is_asked_for(oid: int, expression: str, kind: str) -> None:
    found = reading("a", oid, -1, TYPES, as_text=True)
    assert (found.expression, found.type) == (expression, kind)


def test_names_are_quoted() -> None:
    assert reading('a"b', 9, -1, TYPES).expression == '"a""b"::float8'


@pytest.mark.parametrize(("kind", "known"), [("DECIMAL(10,2)", modifier(10, 2)), ("DECIMAL(5,254)", -1), ("DOUBLE", -1)])
def test_the_modifier_follows_from_the_type_of_duckdb(kind: str, known: int) -> None:
    assert modifier_of(kind) == known


def test_the_error_of_a_guard_becomes_a_sentence() -> None:
    assert refusal('ERROR:  invalid input syntax for type integer: "kit: a: b: NaN"') == (
        "'a: b' holds NaN; correct it there, or read the column as text: as_text=['a: b']"
    )
    assert refusal('ERROR:  invalid input syntax for type integer: "x"') == ""
