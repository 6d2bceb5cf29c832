"""Constants in the code of Python."""

import ast

from kit.core.constant_values import COMPUTED, constant, constants


def test_names_that_a_module_binds_once_to_a_literal_are_constant() -> None:
    code = "A = 'x'\nB = A\nC = [1, -2, {'k': None}]\nD = f()\nE = 1\nE = 2\nF.g = 1\nH: int = 3\n"
    found = constants(ast.parse(code))
    assert found == {"A": "x", "B": "x", "C": [1, -2, {"k": None}], "D": COMPUTED, "E": COMPUTED}


def test_an_expression_of_names_and_literals_is_constant() -> None:
    values = [constant(ast.parse(text, mode="eval").body, {"a": 1}) for text in ("a", "b", "'t'", "f'{a}'", "a + 1", "(1, 2)")]
    assert values == [1, COMPUTED, "t", COMPUTED, COMPUTED, (1, 2)]
