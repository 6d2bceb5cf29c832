"""YAML of dbt without the descriptions of its resources."""

from kit.dbt.descriptions import without_descriptions


def test_descriptions_of_resources_are_left_out_at_every_level() -> None:
    test = {"accepted_values": {"arguments": {"values": ["a"], "description": "b"}, "description": "why"}}
    entry = {"name": "sales", "description": "what", "columns": [{"name": "item", "description": "x", "data_tests": [test]}]}
    macro = {"name": "m", "arguments": [{"name": "a", "description": "x"}]}
    assert without_descriptions({"models": [entry], "macros": [macro]}) == {
        "models": [
            {
                "name": "sales",
                "columns": [
                    {"name": "item", "data_tests": [{"accepted_values": {"arguments": {"values": ["a"], "description": "b"}}}]}
                ],
            }
        ],
        "macros": [{"name": "m", "arguments": [{"name": "a"}]}],
    }


def test_columns_and_settings_of_that_name_stay() -> None:
    seed = {"name": "s", "config": {"column_types": {"description": "varchar"}}, "meta": {"description": "x"}}
    unit = {"name": "u", "given": [{"rows": [{"description": "x"}]}], "expect": {"rows": [{"description": "y"}]}}
    assert without_descriptions({"seeds": [seed], "unit_tests": [unit]}) == {"seeds": [seed], "unit_tests": [unit]}


def test_other_fields_can_be_left_out_too() -> None:
    assert without_descriptions({"name": "s", "tests": ["unique"], "data_type": "int"}, {"tests"}) == {
        "name": "s", "data_type": "int",
    }  # fmt: skip
