"""Notebooks as JSON values."""

import textwrap
from typing import Any

import nbformat


def script_extension(text: str) -> str:
    """Return the extension of the script that nbconvert makes of a notebook."""
    from nbconvert.exporters import ScriptExporter

    _, resources = ScriptExporter().from_notebook_node(nbformat.reads(text, as_version=4))
    extension: str = resources["output_extension"]
    return extension


def notebook(cells: list[str], parameters: str = "") -> dict[str, Any]:
    """A notebook whose first cell, if any, is the one tagged `parameters`."""

    def cell(number: int, source: str, tags: list[str]) -> dict[str, Any]:
        return {
            "cell_type": "code", "id": f"cell{number}", "metadata": {"tags": tags} if tags else {},
            "source": textwrap.dedent(source), "outputs": [], "execution_count": None,
        }  # fmt: skip

    first = [cell(0, parameters, ["parameters"])] if parameters else []
    return {
        "nbformat": 4, "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": first + [cell(i, source, []) for i, source in enumerate(cells, 1)],
    }  # fmt: skip
