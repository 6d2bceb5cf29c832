"""`%%sql`, `%sql` and `%mesh` in a notebook, and what Tab completes there."""

from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from kit.core import KitError
from kit.jupyter.completion import complete
from kit.jupyter.session_pins import Pinned
from kit.jupyter.sql_session import Session, frame_columns
from kit.notebooks import sql_cells

if TYPE_CHECKING:
    import polars as pl
    from IPython.core.interactiveshell import InteractiveShell

_USAGE = "%mesh, %mesh pin [PRODUCT [VERSION]] or %mesh refresh [PRODUCT]"


@magics_class
class MeshMagics(Magics):
    """The magics of one kernel, over a session that begins with the first of them."""

    _session: Session | None = None

    @property
    def session(self) -> Session:
        """The session of this kernel; raises `KitError` outside a mesh."""
        if self._session is None:
            self._session = Session.open()
        return self._session

    @property
    def _names(self) -> dict[str, Any]:
        assert self.shell is not None
        names: dict[str, Any] = self.shell.user_ns
        return names

    def close(self) -> None:
        """Let the snapshots go."""
        if self._session is not None:
            self._session.pins.close()

    @no_var_expand
    @line_cell_magic
    def sql(self, line: str, cell: str | None = None) -> "pl.DataFrame | None":
        """Ask published ports in SQL; the result is a polars DataFrame.

        %%sql [--out NAME]
        select department, sum(sales_value) from orders.daily_sales where business_date >= $since group by all

        --out keeps the result as a variable and shows nothing. A frame of the notebook is asked by its name, another
        variable is handed over as $name. Each product is read from the snapshot it had when it was first asked; see %mesh.
        """
        text = sql_cells.parse(line, cell)
        frame = self.session.ask(text.query, self._names, None if cell is None else text.row)
        if text.out is None:
            return frame
        self._names[text.out] = frame
        return None

    @no_var_expand
    @line_magic
    def mesh(self, line: str) -> "pl.DataFrame":
        """Show which snapshots %%sql reads, or move them.

        %mesh                          shows them, and which are current by now
        %mesh pin                      pins every product to its current snapshot
        %mesh pin PRODUCT [VERSION]    pins one product to its current snapshot, or to the named one
        %mesh refresh [PRODUCT]        moves all that is pinned, or one product, to the current snapshot
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
        return pl.DataFrame(pins.list(), schema=dict.fromkeys(Pinned._fields, pl.String), orient="row")

    @context_matcher(identifier="kit")  # type: ignore[untyped-decorator]
    def matcher(self, context: CompletionContext) -> SimpleMatcherResult:
        """Ports, products, frames and columns, where SQL or the name of a port is being typed."""
        lines = context.full_text.split("\n")[: context.cursor_line + 1]
        before = "\n".join([*lines[:-1], context.text_until_cursor])
        found = complete(before, context.full_text, self._tables)
        if found is None:
            return {"completions": [], "suppress": False}
        fragment, names = found
        completions = [SimpleCompletion(text, type=kind) for text, kind in names]
        return {"completions": completions, "matched_fragment": fragment, "suppress": bool(names), "ordered": True}

    def _tables(self) -> dict[str, list[str]]:
        """Ports and frames with their columns; none outside a mesh, which whoever runs the cell is told."""
        try:
            cards = self.session.pins.cards()
        except KitError:
            cards = []
        tables = {f"{card.name}.{port.name}": [column.name for column in port.columns] for card in cards for port in card.ports}
        return tables | {name: columns for name, columns in frame_columns(self._names).items() if not name.startswith("_")}


def load(shell: "InteractiveShell") -> None:
    """Give a kernel the magics and the completion."""
    magics = MeshMagics(shell)
    shell.register_magics(magics)
    shell.Completer.custom_matchers.append(magics.matcher)


def unload(shell: "InteractiveShell") -> None:
    """Take both away again, and let the snapshots go."""
    magics = shell.magics_manager.registry.pop(MeshMagics.__name__)
    shell.Completer.custom_matchers.remove(magics.matcher)
    for kind, names in magics.magics.items():
        for name in names:
            del shell.magics_manager.magics[kind][name]
    magics.close()
