"""How to read a port in code, with and without the kit."""

from kit import entries, markup
from kit.markup import Html
from kit.opened import Opened
from kit.store import Store


def html(opened: Opened) -> Html:
    """A piece of code for each library, to be copied; each runs as it stands in a notebook of the mesh."""
    name = opened.entry.id
    product, _, port = name.partition(".")
    catalog = (Store(opened.config.storage).folder(product) / entries.LOCAL).resolve()
    pieces = {
        "polars": f'import kit\n\nframe = kit.read("{name}")',
        "polars, lazily": f'import kit\n\nframe = kit.scan("{name}")',
        "DuckDB": f'import kit\n\nrelation = kit.open().to_duckdb("{name}")\nrelation.limit(10)',
        "pandas": f'import kit\n\nframe = kit.open().to_pandas("{name}")',
        "Intake, without the kit": f'import intake\n\nframe = intake.open_catalog("{catalog}")["{port}"].read().collect()',
    }
    return markup.joined(part for title, text in pieces.items() for part in (markup.heading(title), markup.code(text)))
