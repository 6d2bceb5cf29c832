"""The names of `kit` that notebooks use."""

import inspect

import kit


def test_only_public_names_are_offered() -> None:
    assert dir(kit) == sorted(kit.__all__)
    assert "core" not in dir(kit)


def test_each_function_has_an_example_and_types() -> None:
    functions = {name: getattr(kit, name) for name in kit.__all__ if inspect.isfunction(getattr(kit, name))}
    assert set(functions) == {"inputs", "model", "open", "output", "promote", "read", "run", "scan"}
    for name, function in functions.items():
        assert f">>> kit.{name}(" in inspect.getdoc(function) or f"= kit.{name}(" in inspect.getdoc(function)
        annotations = inspect.signature(function)
        assert annotations.return_annotation is not inspect.Signature.empty
        assert all(item.annotation is not inspect.Parameter.empty for item in annotations.parameters.values())
