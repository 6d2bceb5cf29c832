"""The form that promotes a notebook from within: `kit promote` behind two buttons, with what it says and the diff below."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import Any

import ipywidgets as widgets

from kit.core import Config, KitError, short
from kit.drawing import Html, markup
from kit.ingest import identifier
from kit.jupyter.current_notebook import OwnNotebook
from kit.mesh import Mesh

_COLOURS = {"+": markup.GOOD, "-": markup.BAD, "@": markup.QUIET}
_PAGE = "max-height:440px;overflow:auto;line-height:1.35"


def form(notebook: str | None = None) -> "PromoteForm":
    """The form for the notebook this is called in, or the named one; raises `KitError` when it cannot be told."""
    own = OwnNotebook.now() if notebook is None else OwnNotebook(Path(notebook).resolve(), None, ())
    return PromoteForm(Config.load(), own)


class PromoteForm:
    """Shown as the value of a cell it is the form; where no kernel is at work, the command that does the same."""

    def __init__(self, config: Config, notebook: OwnNotebook) -> None:
        self._config = config
        self._notebook = notebook
        names = Mesh.load(config.domains, config.cache).names
        wide = {"style": {"description_width": "70px"}, "layout": widgets.Layout(width="360px")}
        self._product = widgets.Dropdown(
            options=[("choose one", ""), *zip(names, names, strict=True)], description="Product", **wide
        )
        self._port = widgets.Text(value=identifier(notebook.file.stem), description="Port", **wide)
        self._frame = widgets.Text(placeholder="what the last cell hands over", description="Frame", **wide)
        self._look = widgets.Button(description="Show the changes", tooltip="Runs the notebook once and writes nothing")
        self._promote = widgets.Button(
            description="Promote", button_style="primary", tooltip="Writes the files and builds once"
        )
        self._said = widgets.HTML()
        self._look.on_click(lambda _: self._start(dry_run=True))
        self._promote.on_click(lambda _: self._start(dry_run=False))
        buttons = widgets.HBox([self._look, self._promote], layout=widgets.Layout(margin="4px 0 4px 76px"))
        self.widget = widgets.VBox([self._product, self._port, self._frame, buttons, self._said])
        self.widget.add_class("kit-promote")

    def run(self, *, dry_run: bool) -> None:
        """What a button does; it takes as long as the notebook, and more when the product is built."""
        self._look.disabled = self._promote.disabled = True
        try:
            self._tell(self._command(self._notebook.saved(), dry_run))
        except KitError as error:
            self._said.value = _toned(str(error), markup.BAD)
        except Exception as error:  # in a thread nobody else would tell
            self._said.value = _toned(f"{type(error).__name__}: {error}", markup.BAD)
        finally:
            self._look.disabled = self._promote.disabled = False

    def _start(self, *, dry_run: bool) -> None:
        Thread(target=self.run, kwargs={"dry_run": dry_run}, daemon=True).start()

    def _command(self, path: Path, dry_run: bool) -> list[str]:
        if not self._product.value:
            raise KitError("choose the product that it goes to")
        options = {"product": self._product.value, "port": self._port.value, "frame": self._frame.value}
        given = [f"--{name}={value.strip()}" for name, value in options.items() if value and value.strip()]
        return [str(path), *given, *(["--dry-run"] if dry_run else [])]

    def _tell(self, arguments: list[str]) -> None:
        """Run the command in a process of its own, which leaves this kernel as it is, and show what it says."""
        path = Path(arguments[0])
        said = [f"{path.name}, saved {datetime.fromtimestamp(path.stat().st_mtime):%H:%M:%S}"]
        self._said.value = _lines(said)
        environment = {**os.environ, "KIT_ROOT": str(self._config.root)}
        environment.pop("FORCE_COLOR", None)  # Jupyter sets it for its terminals
        with tempfile.TemporaryFile("w+", encoding="utf-8") as made:
            command = [sys.executable, "-m", "kit", "promote", *arguments, "--json"]
            with subprocess.Popen(
                command, cwd=self._config.root, env=environment, stdout=made, stderr=subprocess.PIPE, text=True
            ) as process:
                for line in process.stderr or ():
                    said.append(line.rstrip())
                    self._said.value = _lines(said)
            if process.returncode:
                wrong = next((number for number, line in enumerate(said) if line.startswith("error: ")), 1)
                text = "\n".join(said[wrong:]).removeprefix("error: ")
                self._said.value = markup.joined([_lines(said[:wrong]), _toned(text, markup.BAD)])
                return
            made.seek(0)
            self._said.value = markup.joined([_lines(said), told(json.load(made))])

    def __repr__(self) -> str:
        return f"kit promote {short(self._notebook.file)} --product PRODUCT --port {self._port.value}"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = self.widget._repr_mimebundle_(**options)
        says = markup.lines(
            "Where no kernel runs there is no form; in a terminal, this does the same:", markup.code(repr(self))
        )
        return {**bundle, "text/plain": repr(self), "text/html": markup.paragraph(says)}


def told(promotion: dict[str, Any]) -> Html:
    """What `kit promote --json` gave, as HTML."""
    port, version = promotion["port"], promotion["version"]
    done = f'{port} is published, snapshot {version}: kit.read("{port}")' if version else "Nothing was written yet."
    given = [f"{name}: {item['type']} = {item['default']!r}" for name, item in promotion["parameters"].items()]
    facts = {"notebook": promotion["place"], "reads": ", ".join(promotion["reads"]), "parameters": ", ".join(given)}
    points = [Html(f"<li>{markup.html(point)}</li>") for point in promotion["open_points"]]
    parts = [
        _toned(done, markup.GOOD if version else "inherit"),
        markup.fact_table({name: text or "none" for name, text in facts.items()}),
        markup.heading("Changes"),
        diff(promotion["diff"]),
        markup.heading("Written by kit sync"),
        _lines(promotion["generated"]),
        markup.heading("Still to be written or decided"),
        Html(f"<ul style='margin:0;padding-left:18px'>{markup.joined(points)}</ul>")
        if points
        else markup.paragraph("Nothing."),
    ]
    return markup.joined(parts)


def diff(lines: Iterable[str]) -> Html:
    """A unified diff in colours."""
    shown = []
    for line in lines:
        weight = ";font-weight:bold" if line.startswith(("---", "+++")) else ""
        colour = "inherit" if weight else _COLOURS.get(line[:1], "inherit")
        shown.append(Html(f"<span style='color:{colour}{weight}'>{markup.html(line)}</span>"))
    return Html(f"<pre style='{_PAGE}'>{markup.joined(shown, chr(10))}</pre>")


def _lines(lines: Iterable[str]) -> Html:
    return Html(f"<pre style='white-space:pre-wrap'>{markup.joined(lines, chr(10))}</pre>")


def _toned(text: str, colour: str) -> Html:
    return Html(f"<pre style='color:{colour};white-space:pre-wrap'><b>{markup.html(text)}</b></pre>")
