"""The form that promotes the notebook it is shown in: `kit promote` with two buttons."""

from collections.abc import Callable, Iterable
from contextlib import chdir
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from kit.build import Outcome
from kit.core import KitError, short
from kit.drawing import Html, markup
from kit.ingest import identifier
from kit.jupyter.current_notebook import CurrentNotebook
from kit.mesh import Context
from kit.orchestration.run import run
from kit.orchestration.run_origin import RunOrigin

if TYPE_CHECKING:
    from kit.scaffold import Promotion

_COLOURS = {"+": markup.text_colour(markup.GOOD), "-": markup.text_colour(markup.BAD), "@": markup.text_colour(markup.QUIET)}
_PLAIN = "color:inherit"
_DIFF_STYLE = "max-height:440px;overflow:auto;line-height:1.35"


def form(notebook: str | None = None) -> "PromoteForm":
    """Return the form for the named notebook, or the one that calls this; raises `KitError` when that is unknown."""
    current = CurrentNotebook.from_kernel() if notebook is None else CurrentNotebook(Path(notebook).resolve(), None, ())
    return PromoteForm(Context.load(), current)


class PromoteForm:
    """The form as the value of a cell; without a kernel it shows the equivalent command."""

    def __init__(self, context: Context, notebook: CurrentNotebook) -> None:
        self._config = context.config
        self._notebook = notebook
        names = context.mesh.names
        wide = {"style": {"description_width": "70px"}, "layout": widgets.Layout(width="360px")}
        self._product = widgets.Dropdown(
            options=[("choose one", ""), *zip(names, names, strict=True)], description="Product", **wide
        )
        self._port = widgets.Text(value=identifier(notebook.file.stem), description="Port", **wide)
        self._frame = widgets.Text(placeholder="result of the last cell", description="Frame", **wide)
        self._replace = widgets.Checkbox(
            description="Replace a notebook of the port that was written or edited by hand", indent=False,
            layout=widgets.Layout(width="460px", margin="0 0 0 78px"),
        )  # fmt: skip
        self._show = widgets.Button(description="Show the changes", tooltip="Runs the notebook once and writes nothing")
        self._promote = widgets.Button(
            description="Promote", button_style="primary", tooltip="Writes the files and builds once"
        )
        self._report = widgets.HTML()
        self._show.on_click(lambda _: self.run(dry_run=True))
        self._promote.on_click(lambda _: self.run(dry_run=False))
        buttons = widgets.HBox([self._show, self._promote], layout=widgets.Layout(margin="4px 0 4px 76px"))
        self.widget = widgets.VBox([self._product, self._port, self._frame, self._replace, buttons, self._report])
        self.widget.add_class("kit-promote")

    def run(self, *, dry_run: bool) -> None:
        """Run the notebook, show the changes and, unless it is a dry run, write them and build the product.

        The kernel is busy meanwhile, as with `kit.run()` in a cell: dbt and Dagster work in one thread, and interrupting
        the kernel stops the build.
        """
        self._show.disabled = self._promote.disabled = True
        steps: list[str] = []

        def report(step: str) -> None:
            steps.append(step)
            self._report.value = _lines(steps)

        try:
            with chdir(self._config.root):  # messages name files relative to it
                promotion, outcome = self._run(dry_run, report)
                self._report.value = markup.joined([_lines(steps), promotion_html(promotion, outcome)])
        except KitError as error:
            self._report.value = markup.joined([_lines(steps), _toned(str(error), markup.BAD)])
        except KeyboardInterrupt:
            self._report.value = markup.joined([_lines(steps), _toned("interrupted; nothing was written", markup.BAD)])
        except Exception as error:  # a widget shows no traceback
            self._report.value = markup.joined([_lines(steps), _toned(f"{type(error).__name__}: {error}", markup.BAD)])
        finally:
            self._show.disabled = self._promote.disabled = False

    def _run(self, dry_run: bool, report: Callable[[str], None]) -> tuple["Promotion", Outcome | None]:
        from kit.scaffold import plan_promotion, promote

        path = self._notebook.saved_file()
        if not self._product.value:
            raise KitError("choose the product that gets the port")
        report(f"{path.name}, saved {datetime.fromtimestamp(path.stat().st_mtime):%H:%M:%S}")

        def report_step(step: str) -> None:
            report(f"  {step} …")

        def build(context: Context, product: str) -> Outcome:
            report_step(f"builds {product}")
            return run(context, [product], origin=RunOrigin("JupyterLab", f"promotion of {path.name}")).outcomes[0]

        port, frame = self._port.value.strip() or None, self._frame.value.strip() or None
        promotion = plan_promotion(
            Context(self._config), str(path), self._product.value, port, frame, report_step, replace_edited=self._replace.value
        )
        return promotion, None if dry_run or promotion.is_unchanged else promote(self._config, promotion, build)

    def __repr__(self) -> str:
        return f"kit promote {short(self._notebook.file)} --product PRODUCT --port {self._port.value}"

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = self.widget._repr_mimebundle_(**options)
        text = markup.lines("The form needs a running kernel. The same command in a terminal:", markup.code(repr(self)))
        return {**bundle, "text/plain": repr(self), "text/html": markup.paragraph(text)}


def promotion_html(promotion: "Promotion", outcome: Outcome | None) -> Html:
    """Return a promotion as HTML; `outcome` is that of the build, None when nothing was written."""
    port = promotion.port
    published = outcome is not None
    result = f'{port} is published, snapshot {outcome.version}: kit.read("{port}")' if outcome else "Nothing was written yet."
    if promotion.is_unchanged:
        return _toned(f"The notebook has not changed since {port} was made of it. Nothing was written.")
    parameters = [f"{item.name}: {item.type} = {item.default!r}" for item in promotion.parameters]
    facts = {"notebook": short(promotion.place), "reads": ", ".join(promotion.reads), "parameters": ", ".join(parameters)}
    points = [Html(f"<li>{markup.html(point)}</li>") for point in promotion.open_points]
    parts = [
        _toned(result, markup.GOOD if published else ""),
        markup.paragraph(promotion.describe_offer()) if published else "",
        markup.fact_table({name: text or "none" for name, text in facts.items()}),
        markup.heading("Changes"),
        diff_html(promotion.diff()),
        markup.heading("Written by kit sync"),
        _lines(promotion.generated()),
        markup.heading("Still to be written or decided"),
        Html(f"<ul style='margin:0;padding-left:18px'>{markup.joined(points)}</ul>")
        if points
        else markup.paragraph("Nothing."),
    ]
    return markup.joined(parts)


def diff_html(lines: Iterable[str]) -> Html:
    """Return a unified diff in colours."""
    shown = []
    for line in lines:
        weight = ";font-weight:bold" if line.startswith(("---", "+++")) else ""
        colour = _PLAIN if weight else _COLOURS.get(line[:1], _PLAIN)
        shown.append(Html(f"<span style='{colour}{weight}'>{markup.html(line)}</span>"))
    return Html(f"<pre style='{_DIFF_STYLE}'>{markup.joined(shown, chr(10))}</pre>")


def _lines(lines: Iterable[str]) -> Html:
    return Html(f"<pre style='white-space:pre-wrap'>{markup.joined(lines, chr(10))}</pre>")


def _toned(text: str, colour: str = "") -> Html:
    style = markup.text_colour(colour) if colour else _PLAIN
    return Html(f"<pre style='{style};white-space:pre-wrap'><b>{markup.html(text)}</b></pre>")
