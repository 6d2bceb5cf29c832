"""A model run once over current inputs, in a work database that is thrown away: what it makes before it is any port."""

from contextlib import ExitStack
from pathlib import Path

from kit.build import masking
from kit.core import Config, KitError, sandbox
from kit.core import database as work
from kit.dbt.project import Project
from kit.ingest import landing
from kit.mesh import RAW, DataProduct
from kit.quality import quarantine
from kit.storage import Store, pin_inputs


def preview_model(config: Config, product: DataProduct, model: str, folder: Path) -> Path:
    """The rows a dbt model of a product makes, as a Parquet file below `folder`, which holds all else that is made too.

    Inputs and raw data are those the next build would begin from, raw data without the rows it sets aside and masked as its
    contract says. Nothing is audited, published or recorded. Raises `KitError` for a model that is not there or fails, for
    an input that was never published, and for a product that is cut into partitions.
    """
    from kit.dbt.runner import transform

    if model not in (found.name for found in Project.read(product.folder).models):
        raise KitError(f"'{product.name}' has no model '{model}'")
    if product.partitions:
        raise KitError(f"'{product.name}' is cut into partitions, and the rows of one tell too little of '{model}'")
    with Store(config.storage).build_lock(product.name), masking.mask_key_hidden(), ExitStack() as held:
        tables = {name: pinned.files for name, pinned in pin_inputs(Store(config.storage), product, held).items()}
        tables |= _raw(config, product, tables, folder)
        database, made = folder / "kit_work.duckdb", folder / "staged" / model / "data.parquet"
        with work.connect(database) as connection:
            work.add_views(connection, tables)
        for name in (model, *(port.name for port in product.ports)):
            (folder / "staged" / name).mkdir(parents=True, exist_ok=True)
        inputs = {path for files in tables.values() for path in files}
        transform(product, database, inputs, folder / "staged", folder / "dbt", only=model)
        if not made.exists():  # it is materialized as a view or table
            with work.connect(database) as connection:
                sandbox.confine_as_declared(connection, database)
                connection.execute(f"copy (from {work.quoted(model)}) to {work.literal(str(made))} (format parquet)")
    return made


def _raw(config: Config, product: DataProduct, inputs: work.Tables, folder: Path) -> dict[str, list[Path]]:
    """The raw data of a product as its models see it."""
    tables = {}
    for source in product.sources:
        path = landing.land(product, source, config.storage / RAW).path
        place = folder / RAW / source.name
        place.mkdir(parents=True)
        if source.contract.quarantining:
            part = quarantine.SplitFile(place / "sound.parquet", place / "aside.parquet")
            path = quarantine.set_aside(source.contract, path, {**inputs, f"{RAW}.{source.name}": [path]}, part)
        if source.contract.masked_columns:
            masking.write(source.contract, path, place / "masked.parquet", masking.key(config, product))
            path = place / "masked.parquet"
        tables[f"{RAW}.{source.name}"] = [path]
    return tables
