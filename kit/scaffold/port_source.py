"""The files of a new port that is made from a raw file, from another port, or from ports that a notebook reads."""

import keyword
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import Any

from kit.contracts import TODO, CsvFormat, csv_keys, reads_property
from kit.core import KitError, UnknownName, parse_yaml, there_are, yaml_writer
from kit.ingest import SUFFIXES, RawFile, Undeclared, connector_class, identifier, is_raw_file
from kit.mesh import RAW, Context, DataProduct, Mesh, OutputPort, Source
from kit.scaffold import templates
from kit.scaffold.asset_notebook import origin_name, to_asset_notebook
from kit.scaffold.connector_source import connector_of
from kit.scaffold.contract_draft import draft
from kit.scaffold.hidden_names import hidden_names
from kit.scaffold.notebook_source import files_from_notebook
from kit.scaffold.port_files import PortFiles, check_input, check_port_name, input_entries, output_entry

LARGEST_COPY = 10_000_000
"""Bytes up to which a raw file is copied into the domain; a larger one stays where it is."""


def files_from_origin(
    context: Context, product: str, port: str | None, origin: str, folder: Path, csv: Sequence[str] = ()
) -> PortFiles:
    """The files that a new port made from an origin, a file or a port of the mesh, adds to the product in `folder`.

    `csv` says how a CSV file is written: texts such as `delimiter=;`.
    """
    path = origin_file(origin)
    if csv and (path is None or path.suffix == ".ipynb"):
        raise KitError(f"--csv is for a CSV file; {origin} is none")
    if path is None and origin.startswith(f"{product}.{RAW}."):
        return _files_from_source(context.mesh.product(product), port, origin)
    if path is None:
        provider = context.mesh.port(origin)
        check_port_name(port or provider.name)
        return _files_from_port(context.mesh, product, port or provider.name, provider)
    if path.suffix == ".ipynb":
        asset = to_asset_notebook(path, port, origin=origin_name(path, context.config.root))
        return files_from_notebook(context, product, asset, path, folder)
    return _files_from_raw(product, port, raw_file(path, csv), hidden_names(context.config.domains))


def origin_file(origin: str) -> Path | None:
    """The file that an origin names; None for an origin that looks like a port. Raises `KitError` for a missing file."""
    path = Path(origin).expanduser()
    kind, colon, _ = origin.partition("://")  # what follows may contain a password, which no message quotes
    if connector_of(origin):
        raise KitError(
            "a connector makes a source of a product that exists: write `kit new NAME`, then "
            "`kit new source NAME.SOURCE --from …`"
        )
    if colon:
        connector_class(kind)  # raises
    if path.is_dir():
        raise KitError(f"{origin} is a folder; name one file ({', '.join(SUFFIXES)}, .ipynb) or a port")
    if is_raw_file(path) or path.suffix == ".ipynb":
        if not path.is_file():
            raise KitError(f"there is no file {origin}")
        return path.resolve()
    if path.exists() or "." not in origin or "/" in origin:
        raise KitError(f"'{origin}' is neither a file ({', '.join(SUFFIXES)}, .ipynb) nor a port PRODUCT.PORT")
    return None


def files_of_source(
    domains: Path, product: str, source: str, origin: str, csv: Sequence[str], *, staged: bool
) -> PortFiles:  # fmt: skip
    """The files of a new raw source made from a raw file. With `staged` dbt knows it, and a staging model reads it.

    Values of columns that a contract below `domains` hides are written nowhere.
    """
    path = origin_file(origin)
    if path is None or path.suffix == ".ipynb":
        raise KitError(f"'{origin}' is no raw file; a source is made from one of {', '.join(SUFFIXES)}")
    raw = raw_file(path, csv)
    return _source(product, source, raw, typed_contract(raw, f"{product}.{RAW}.{source}", hidden_names(domains)), staged=staged)


def raw_file(path: Path, csv: Sequence[str], declared: CsvFormat | None = None) -> RawFile:
    """A raw file of which `csv` says how it is written, and `declared` what a contract has; the error names missing options."""
    try:
        known = declared.to_keys() if declared and path.suffix.lower() != ".parquet" else {}
        return RawFile.from_path(path, known | csv_keys(csv))
    except Undeclared as error:
        options = " ".join(f"--csv {quote(f'{key}={value}')}" for key, value in error.keys.items())
        raise KitError(f"{error.problem} add {options}") from None


@dataclass(frozen=True)
class TypedContract:
    """The contract drafted from the rows of a raw file, the fields of its columns, and the questions about them."""

    contract: str
    properties: list[dict[str, Any]]
    questions: Mapping[str, str]

    @property
    def columns(self) -> dict[str, str]:
        """The types of the columns by name."""
        return {item["name"]: item["physicalType"] for item in self.properties}


def typed_contract(raw: RawFile, id: str, hidden: Collection[str]) -> TypedContract:  # noqa: A002
    """Draft the contract of a raw file, without values of the columns `hidden`."""
    known = {name for name, raw_name in raw.names.items() if {name, raw_name}.intersection(hidden)}
    with TemporaryDirectory(prefix="kit-") as folder:
        typed = Path(folder) / "typed.parquet"
        questions = raw.write(typed)
        contract = draft([typed], id, hidden=known)
    return TypedContract(contract, parse_yaml(raw.path, contract).data["schema"][0]["properties"], questions)


def _source(product: str, source: str, raw: RawFile, typed: TypedContract, *, staged: bool = True) -> PortFiles:
    """A raw source of that name, with its staging model if it is `staged`."""
    check_port_name(source)
    is_copied = raw.path.stat().st_size <= LARGEST_COPY
    place = f"data/{raw.path.name}" if is_copied else str(raw.path)
    id = f"{product}.{RAW}.{source}"  # noqa: A001
    files: dict[str, str | Path] = {
        f"sources/{source}.odcs.yaml": source_contract(typed.contract, id, raw, typed.questions, () if is_copied else (place,))
    }
    if staged:
        files[f"models/staging/stg_{source}.sql"] = templates.staging(source, typed.columns)
    files |= {place: raw.path} if is_copied else {}
    return PortFiles(
        inputs=({"name": f"{RAW}.{source}", "version": "1.0.0", "contractId": id},),
        files=files,
        ingest=templates.ingest_function(source, place, raw.path.name),
        reads=(RAW, source, f"{raw.path.name} as delivered.") if staged else None,
        has_dbt=staged,
        questions=typed.questions,
    )


def source_name(name: str) -> str:
    """The name of a source, which is also that of a Python function: no word of the language."""
    return f"{name}_data" if keyword.iskeyword(name) else name


def _files_from_raw(product: str, port: str | None, raw: RawFile, hidden: Collection[str]) -> PortFiles:
    """A raw source, its staging model and a mart with the same columns."""
    name = identifier(raw.path.name.partition(".")[0])
    port, source = port or name, source_name(name)
    check_port_name(port)
    check_port_name(source)
    typed = typed_contract(raw, f"{product}.{port}", hidden)
    keys = [item for item in typed.properties if item.get("primaryKey")]
    key = [item["name"] for item in sorted(keys, key=lambda item: int(item["primaryKeyPosition"]))]
    files = _source(product, source, raw, typed)
    mart = templates.mart(typed.columns, key, f"ref('stg_{source}')")
    texts = {f"contracts/{port}.odcs.yaml": typed.contract, **files.files, f"models/marts/{port}.sql": mart}
    texts = dict(sorted(texts.items(), key=lambda item: isinstance(item[1], Path)))
    return replace(files, output=output_entry(product, port, "dbt"), files=texts)


def source_contract(
    contract: str,
    id: str,  # noqa: A002
    raw: RawFile,
    questions: Mapping[str, str],
    reads: Sequence[str],
    origin: str = "",
) -> str:
    """The contract of a source that `reads` places: that of the port made from it, with names and format of the raw file.

    Descriptions name `origin`, by default the file.
    """
    origin = origin or raw.path.name
    data = parse_yaml(raw.path, contract).data | {"id": id}
    data.pop("slaProperties")
    table = data["schema"][0]
    table |= {"name": id.rpartition(".")[2], "description": f"One row per row of {origin}, as delivered."}
    for item in table["properties"]:
        raw_name = raw.names[item["name"]]
        question = questions.get(item["name"], "")
        item["description"] = f"{TODO}{question}" if question else f"The column {raw_name} of {origin}."
        if raw_name != item["name"]:
            item["physicalName"] = raw_name
    properties = [raw.csv.to_property()] if raw.csv != CsvFormat() else []
    properties += [reads_property(*reads)] if reads else []
    if properties:
        data["customProperties"] = properties
    return "\n".join(yaml_writer.block(data)) + "\n"


def _files_from_port(mesh: Mesh, product: str, port: str, provider: OutputPort) -> PortFiles:
    """A mart with the columns of another port, of this product or another one."""
    provider_product = provider.id.partition(".")[0]
    is_own = provider_product == product
    if is_own and provider.notebook is not None:
        raise KitError(
            f"'{provider.id}' is made by a notebook, which runs after dbt; write `kit new notebook {product}.{port}`"
        )
    check_input(mesh, product, provider)
    contract = provider.contract
    relation = f"ref('{provider.name}')" if is_own else f"source('{provider_product}', '{provider.name}')"
    columns = {column.name: column.type for column in contract.columns}
    return PortFiles(
        output=output_entry(product, port, "dbt"),
        inputs=input_entries(product, [provider]),
        files={
            f"contracts/{port}.odcs.yaml": templates.contract_of(provider, f"{product}.{port}"),
            f"models/marts/{port}.sql": templates.mart(columns, contract.key, relation),
        },
        reads=None if is_own else (provider_product, provider.name, ""),
    )


def _files_from_source(product: DataProduct, port: str | None, origin: str) -> PortFiles:
    """A mart with the columns of a raw source of the product, from its staging model where there is one."""
    source = raw_source(product, origin)
    port = port or source.name
    check_port_name(port)
    is_staged = (product.folder / f"models/staging/stg_{source.name}.sql").is_file()
    relation = f"ref('stg_{source.name}')" if is_staged else f"source('{RAW}', '{source.name}')"
    columns = {column.name: column.type for column in source.contract.columns}
    return PortFiles(
        output=output_entry(product.name, port, "dbt"),
        files={
            f"contracts/{port}.odcs.yaml": templates.contract_of(source, f"{product.name}.{port}"),
            f"models/marts/{port}.sql": templates.mart(columns, source.contract.key, relation),
        },
        reads=None if is_staged else (RAW, source.name, ""),
    )


def raw_source(product: DataProduct, id: str) -> Source:  # noqa: A002
    """The source `PRODUCT.raw.SOURCE` of a product; raises `UnknownName`."""
    for source in product.sources:
        if f"{product.name}.{RAW}.{source.name}" == id:
            return source
    known = (f"{product.name}.{RAW}.{source.name}" for source in product.sources)
    raise UnknownName(f"'{id}' is no source of '{product.name}'; {there_are(id, known)}")


def files_from_ports(mesh: Mesh, product: str, port: str, providers: list[OutputPort]) -> PortFiles:
    """A notebook that reads ports and outputs the first of them."""
    for provider in providers:
        check_input(mesh, product, provider)
    return PortFiles(
        output=output_entry(product, port, "notebook", providers),
        inputs=input_entries(product, providers),
        files={
            f"contracts/{port}.odcs.yaml": templates.contract_of(providers[0], f"{product}.{port}"),
            f"notebooks/{port}.ipynb": templates.notebook(port, providers),
        },
        has_dbt=False,
    )
