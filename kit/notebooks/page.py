"""An executed notebook as one HTML page that runs no script and loads nothing, whatever the notebook contains."""

import json
import re
import warnings
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from kit.core import InvalidFile, short
from kit.notebooks.executed import Executed

# A second defence, in the browser: no script runs, and nothing is fetched.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_TEXT = "a abbr b blockquote br code del details div dl dt dd em h1 h2 h3 h4 h5 h6 hr i img kbd li ol p pre s samp small span"
_TABLE = "caption col colgroup table tbody td tfoot th thead tr"
_TAGS = {*_TEXT.split(), *_TABLE.split(), "strong", "sub", "summary", "sup", "u", "ul", "var"}
_ATTRIBUTES = {"class", "id", "style", "title", "colspan", "rowspan", "span", "align", "lang", "dir", "open", "start"}
_ATTRIBUTES_OF_TAG = {"a": {"href"}, "img": {"src", "alt", "width", "height"}}
# In order of preference: the text or picture of an output is shown instead of one that needs a script.
_DISPLAY_PRIORITY = ["text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain"]
_LONGEST = 50_000
_SCRIPTS_AND_STYLES = re.compile(r"<(script|style)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)


def notebook_html(path: Path) -> str:
    """Return the executed notebook at `path` as an HTML page; raises `InvalidFile` for a file that is not a notebook.

    The page has text, tables and pictures, but no scripts, widgets, frames, style sheets or external files. Its header shows
    port, run, parameters, inputs and how the run ended. Formulas are shown as source text.
    """
    executed = Executed.read(path)
    title = escape(executed.title)
    style = Path(__file__).with_name("notebook.css").read_text(encoding="utf-8")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}{f", run {escape(executed.run_id)}" if executed.run_id else ""}</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
{_about(executed)}
</header>
<main>
{_body(executed)}
</main>
</body>
</html>
"""


def _about(executed: Executed) -> str:
    """Return the header: the run, its parameters and its inputs."""
    facts = [f"run {escape(executed.run_id)}"] if executed.run_id else []
    if executed.started:
        facts.append(f"{executed.started:%Y-%m-%d %H:%M:%S} UTC")
    if executed.seconds is not None:
        facts.append(f"{executed.seconds:.1f} s")
        ended = "<span class='good'>ran to its end</span>"
        facts.append(f"<span class='bad'>{escape(executed.error)}</span>" if executed.error else ended)
    rows = [
        (name, repr(value), "given" if name in executed.given else "default") for name, value in executed.parameters.items()
    ]
    rows += [(port, version, "input") for port, version in executed.inputs.items()]
    cells = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows)
    table = f"<table><tr><th>name</th><th>value</th><th></th></tr>{cells}</table>" if rows else ""
    return f"<p>{' · '.join(facts)}</p>\n{table}" if facts else table


def _body(executed: Executed) -> str:
    """Return the cells; the complete output of nbconvert is cleaned, so that gaps in its own cleaning do not matter."""
    import nbformat

    try:
        notebook = nbformat.v4.reads(json.dumps(executed.notebook))
        notebook.metadata.pop("widgets", None)  # their state needs a script
        for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
            _shorten(output)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about outputs that cannot be displayed
            body, _ = _exporter().from_notebook_node(notebook)
    except Exception as error:
        problem = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InvalidFile(f"{short(executed.path)}: not a notebook that can be shown: {problem}") from None
    return str(_cleaner().clean(_SCRIPTS_AND_STYLES.sub("", body)))


def _shorten(output: Any) -> None:
    """Cut the texts of an output after `_LONGEST` characters: the time that cleaning takes grows with the square of them."""
    texts = output.get("data", {})
    names = [name for name in texts if name.startswith("text/") and isinstance(texts[name], str)]
    for holder, name in [*((texts, name) for name in names), *([(output, "text")] if "text" in output else [])]:
        if (more := len(holder[name]) - _LONGEST) > 0:
            holder[name] = f"{holder[name][:_LONGEST]}\n… {more:,} more characters are in the notebook\n"


@cache
def _exporter() -> Any:
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    # The template `basic` has no head; the heads of the others load scripts from the network.
    config = Config(NbConvertBase={"display_data_priority": _DISPLAY_PRIORITY})
    exporter = HTMLExporter(template_name="basic", sanitize_html=True, exclude_anchor_links=True, config=config)
    exporter.register_filter("clean_html", lambda text: text)  # its own filter removes tables
    return exporter


@cache
def _cleaner() -> Any:
    from bleach.css_sanitizer import CSSSanitizer
    from bleach.sanitizer import Cleaner

    return Cleaner(
        tags=_TAGS, attributes=_allowed, protocols={"http", "https", "mailto", "data"}, strip=True, css_sanitizer=CSSSanitizer()
    )


def _allowed(tag: str, name: str, value: str) -> bool:
    """Whether an attribute is kept: a link must have a safe scheme, a picture must be embedded."""
    if tag == "img" and name == "src":
        return re.match(r"data:image/(png|jpeg|gif|webp|svg\+xml)[;,]", value) is not None
    if tag == "a" and name == "href":
        return re.match(r"(https?:|mailto:|#)", value) is not None
    return name in _ATTRIBUTES or name in _ATTRIBUTES_OF_TAG.get(tag, ())
