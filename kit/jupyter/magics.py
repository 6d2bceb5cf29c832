"""`%%sql`, `%sql` and `%mesh` in a notebook, and their completion with Tab."""

from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from kit.core import KitError
from kit.jupyter.completion import complete
from kit.jupyter.session_pins import PinnedSnapshot
from kit.jupyter.sql_session import SqlSession, frame_columns, sql_tables
from kit.mesh import Context
from kit.notebooks import sql_cells

if TYPE_CHECKING:
    import polars as pl
    from IPython.core.interactiveshell import InteractiveShell

_USAGE = "%mesh, %mesh pin [PRODUCT [VERSION]] or %mesh refresh [PRODUCT]"


@magics_class
class MeshMagics(Magics):
    """The magics of one kernel; its SQL session begins with the first of them."""

    _session: SqlSession | None = None

    @property
    def session(self) -> SqlSession:
        """The SQL session of this kernel; raises `KitError` outside a mesh."""
        if self._session is None:
            self._session = SqlSession.open(Context.load)
        return self._session

    @property
    def _names(self) -> dict[str, Any]:
        assert self.shell is not None
        names: dict[str, Any] = self.shell.user_ns
        return names

    def close(self) -> None:
        """Release the snapshots."""
        if self._session is not None:
            self._session.pins.close()

    @no_var_expand
    @line_cell_magic
    def sql(self, line: str, cell: str | None = None) -> "pl.DataFrame | None":
        """Query published ports in SQL; the result is a polars DataFrame.

        %%sql [--out NAME]
        select department, sum(sales_value) from orders.daily_sales where business_date >= $since group by all

        --out stores the result in a variable and shows nothing. A query uses a frame of the notebook by its name, another
        variable as $name. Each product is read from the snapshot that was current at its first query; see %mesh.
        """
        text = sql_cells.parse(line, cell)
        frame = self.session.query(text.query, self._names, None if cell is None else text.row)
        if text.out is None:
            return frame
        self._names[text.out] = frame
        return None

    @no_var_expand
    @line_magic
    def mesh(self, line: str) -> "pl.DataFrame":
        """Show or change the snapshots that %%sql reads.

        %mesh                          shows them beside the current snapshots
        %mesh pin                      pins every product to its current snapshot
        %mesh pin PRODUCT [VERSION]    pins one product to its current, or the named snapshot
        %mesh refresh [PRODUCT]        pins all pinned products, or one, to their current snapshot
        """
        import polars as pl

        pins = self.session.pins
        match line.split():
            case []:
                pass
            case ["pin", *rest] if len(rest) <= 2:
                pins.pin(*rest)
            case ["refresh", *rest] if len(rest) <= 1:
                pins.refresh(*rest)
            case _:
                raise KitError(f"'%mesh {line}' is not understood; write {_USAGE}")
        return pl.DataFrame(pins.list(), schema=dict.fromkeys(PinnedSnapshot._fields, pl.String), orient="row")

    @context_matcher(identifier="kit")  # type: ignore[untyped-decorator]
    def matcher(self, context: CompletionContext) -> SimpleMatcherResult:
        """Complete ports, products, frames and columns in SQL and in names of ports."""
        lines = context.full_text.split("\n")[: context.cursor_line + 1]
        before = "\n".join([*lines[:-1], context.text_until_cursor])
        completion = complete(before, context.full_text, self._tables)
        if completion is None:
            return {"completions": [], "suppress": False}
        fragment, names = completion
        completions = [SimpleCompletion(text, type=kind) for text, kind in names]
        return {"completions": completions, "matched_fragment": fragment, "suppress": bool(names), "ordered": True}

    def _tables(self) -> dict[str, list[str]]:
        """Return ports and frames with their columns; outside a mesh only frames, running the cell shows the error."""
        try:
            summaries = self.session.pins.summaries()
        except KitError:
            summaries = []
        tables = {name: columns for item in summaries for name, columns in sql_tables(item).items()}
        return tables | {name: columns for name, columns in frame_columns(self._names).items() if not name.startswith("_")}


def load(shell: "InteractiveShell") -> None:
    """Register the magics and their completion in a kernel."""
    magics = MeshMagics(shell)
    shell.register_magics(magics)
    shell.Completer.custom_matchers.append(magics.matcher)


def unload(shell: "InteractiveShell") -> None:
    """Remove both, and release the snapshots."""
    magics = shell.magics_manager.registry.pop(MeshMagics.__name__)
    shell.Completer.custom_matchers.remove(magics.matcher)
    for kind, names in magics.magics.items():
        for name in names:
            del shell.magics_manager.magics[kind][name]
    magics.close()
