"""Execution of an asset notebook with papermill; success is verified from the executed copy."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.core import InvalidFile, NotebookError, confinement, describe_ending, read_json
from kit.notebooks.cells import check_language
from kit.notebooks.kernel_pool import KernelPool
from kit.notebooks.notebook_run import NotebookRun

KERNEL = "python3"


@dataclass(frozen=True)
class NotebookLimits:
    """Limits of one execution: seconds per cell, megabytes of kept output."""

    cell_timeout_seconds: int
    output_mb: int


def execute(
    run: NotebookRun, parameters: Mapping[str, Any], limits: NotebookLimits, kernels: KernelPool, scrub: Callable[[Any], Any]
) -> None:
    """Run a notebook in a kernel of its own and keep the executed copy, also on failure, as `scrub` returns its outputs.

    `parameters` must have passed `check_parameters`; `run` must be the next one of `kernels`. Raises `NotebookError` when a
    cell fails, exceeds its time, ends the kernel, or when not every code cell was run.
    """
    import nbformat
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from kit.notebooks.papermill_engine import ENGINE

    path, kernel = run.notebook, kernels.take()
    run.executed.parent.mkdir(parents=True, exist_ok=True)
    try:
        with suppress(InvalidFile):  # papermill says why it is no notebook
            check_language(read_json(path), path)
        executed = papermill.execute_notebook(
            _escaped(path), _escaped(run.executed), parameters=dict(parameters), engine_name=ENGINE, kernel_name=KERNEL,
            language="python", progress_bar=False, cell_timeout=limits.cell_timeout_seconds,
            output_limit=limits.output_mb * 1_000_000, kernel=kernel, scrub=scrub,
            autosave_cell_every=0,  # within a cell, a secret can be in two parts of its output
        )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        failure = NotebookError(
            f"cell {error.exec_count} failed: {error.ename}: {_line(error.evalue)}{_advice(run, error.evalue)}", path
        )
        failure.exception, failure.value = error.ename, error.evalue
        raise failure from None
    except CellTimeoutError:
        raise NotebookError(
            f"a cell ran longer than {limits.cell_timeout_seconds} s and was stopped; "
            "raise cell_timeout_seconds in [tool.kit] if it needs more",
            path,
        ) from None
    except DeadKernelError:
        kernel.close()
        raise NotebookError(_death(kernel.ended, run.executed), path) from None
    except (nbformat.ValidationError, nbformat.reader.NotJSONError, RecursionError) as error:
        raise NotebookError(f"not a valid notebook: {_line(error)}", path) from None
    except RuntimeError as error:
        raise NotebookError(f"the kernel did not start: {_line(error)}; its log is {run.log}", path) from None
    finally:
        kernel.close()
    skipped = sum(1 for cell in executed.cells if cell.cell_type == "code" and cell.source.strip() and not cell.execution_count)
    if skipped:
        raise NotebookError(f"stopped before its end, {skipped} cells were not run; do not call exit() in it", path)


def _advice(run: NotebookRun, message: str) -> str:
    """What to do about a file that the confined kernel was refused; empty for any other message."""
    refused = confinement.refused_path(str(message), run.notebook.parent)
    if refused is None or run.all_places.allow(refused):
        return ""
    return "; a notebook opens its domain folder and `tempfile` only: declare a port as an input, and read it with kit.read"


def _death(code: int | None, executed: Path) -> str:
    """Return how the kernel ended, with which cell."""
    cells = [cell for cell in read_json(executed)["cells"] if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]
    cell = f"cell {sum(bool(cell['metadata']['papermill']['start_time']) for cell in cells)}"
    if code is None:
        return f"{cell} lost the connection to the kernel"
    return f"{cell} ended the kernel: {describe_ending(code)}"


def _escaped(path: Path) -> str:
    """The path as papermill takes it, which formats braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _line(error: object) -> str:
    return " ".join(str(error).split())[:500]
