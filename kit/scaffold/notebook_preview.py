"""A notebook run once as a build would run it, before any product knows it."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kit.build import masking
from kit.core import Config, NotebookError, Secrets, short, to_json
from kit.mesh import parameters
from kit.notebooks import RUN_FILE, KernelPool, NotebookLimits, NotebookRun, execute
from kit.storage import Snapshot, Store


@contextmanager
def preview_notebook(config: Config, path: Path, port: str, reads: Sequence[str]) -> Iterator[Path]:
    """The Parquet file that the asset notebook at `path` hands over as `port`, with the ports it `reads` pinned.

    Raises `NotebookError` when it fails or hands over nothing, `NotPublished` for a port without a snapshot.
    """
    store = Store(config.storage)
    parameters(path)  # says what is wrong with one before a kernel starts
    with tempfile.TemporaryDirectory(prefix="kit-") as folder, ExitStack() as held:
        snapshots: dict[str, Snapshot] = {}
        inputs = {}
        for item in reads:
            product, _, name = item.partition(".")
            if product not in snapshots:
                snapshots[product] = held.enter_context(store.open(product))
            files = [str(file) for file in snapshots[product].files(name)]
            inputs[item] = {"version": snapshots[product].version, "files": files}
        staged, run_file = Path(folder) / "made.parquet", Path(folder) / "run.json"
        run_file.write_text(
            to_json({"port": port, "inputs": inputs, "staged": str(staged), "contract": None}), encoding="utf-8"
        )
        limits = NotebookLimits(config.cell_timeout_seconds, config.notebook_output_mb)
        sheet = NotebookRun(path, Path(folder) / "executed.ipynb", {RUN_FILE: str(run_file)})
        secrets = Secrets.from_environment(config)
        with masking.mask_key_hidden(), KernelPool([sheet]) as kernels:
            execute(sheet, {}, limits, kernels, secrets)
        if not staged.is_file():
            raise NotebookError(f'{short(path)}: ended without kit.output("{port}", frame)')
        yield staged
