"""What a build begins from: pinned inputs, landed sources, parameters, and whether they make anything new."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from kit.build import masking
from kit.build.progress import Progress
from kit.contracts import Finding
from kit.core import Config, KitError, NotebookError, Secrets, UnknownName, __version__, counted, sha256
from kit.ingest import LandedSource
from kit.ingest import landing as ingest
from kit.mesh import DataProduct, Parameter, check_parameters, parameters
from kit.storage import Pin, Snapshot, Store, pin_inputs

Parameters = Mapping[str, Any]

UP_TO_DATE, HELD, DUE = "up to date", "held", "due"

PARTITION = "partition"
"""The parameter and dbt variable a partitioned product gets its key in."""


@dataclass(frozen=True)
class BuildRequest:
    """What was asked for: parameters for notebooks, some partitions instead of all, a build even when nothing changed."""

    parameters: Parameters = field(default_factory=dict)
    partitions: tuple[str, ...] = ()
    force: bool = False


@dataclass(frozen=True)
class BuildPlan:
    """All that decides what a build would publish. `status` says whether there is anything to do.

    `due` and `kept` are the partitions to build and those to carry over from the current snapshot, with the fingerprint
    of each; both are empty when the product is not partitioned.
    """

    status: str
    pins: Mapping[str, Pin]
    landings: Mapping[str, LandedSource]
    parameters: Mapping[str, Parameters]
    fingerprint: str
    current: Snapshot | None
    parent: str | None
    due: Mapping[str, str]
    kept: Mapping[str, str]


def plan(
    config: Config,
    product: DataProduct,
    request: BuildRequest,
    held: ExitStack,
    progress: Progress,
    landings: Mapping[str, LandedSource] | None = None,
) -> BuildPlan:
    """Pin the inputs, land the sources (unless they just were) and compare with the current snapshot.

    The pinned snapshots are kept from pruning until `held` is closed. Raises `KitError` for whatever stands in the way.
    """
    store = Store(config.storage)
    mask_key = masking.key(config, product)
    pointer = store.read_pointer(product.name)
    try:
        current = store.current(product.name)
    except KitError:
        if not request.force:
            raise
        current = None  # its files are gone; building anew is the way out
    if current:
        store.repair_catalogs(product.name)
    given = assign_parameters(config, product, request.parameters)
    keys = _keys(config, product, request.partitions)
    pins = pin_inputs(store, product, held)
    landings = _land(config, product, progress) if landings is None else landings
    parts = _parts(product, pins, landings) | ({"mask_key": masking.fingerprint(mask_key)} if mask_key else {})
    due: dict[str, str] = {}
    kept: dict[str, str] = {}
    if product.partitions:
        built: dict[str, str] = current.manifest.get("partitions", {}) if current else {}
        fresh = {key: _digest(parts, with_partition(product, given, key), key) for key in keys}
        due = {key: digest for key, digest in fresh.items() if request.force or built.get(key) != digest}
        known = product.partitions.all(config.clock())
        kept = {key: digest for key, digest in built.items() if key not in due and key in known}
        whole = {"partitions": {**kept, **due}, "needs": _needs(product)}
        fingerprint = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
    else:
        fingerprint = _digest({**parts, "needs": _needs(product)}, given)
    status = DUE
    if current and pointer and not request.force:
        if current.fingerprint == fingerprint:
            status = UP_TO_DATE
        elif fingerprint in pointer.rejected:
            status = HELD
    parent = pointer.version if pointer else None
    return BuildPlan(status, pins, landings, given, fingerprint, current, parent, due, kept)


def _keys(config: Config, product: DataProduct, asked: tuple[str, ...]) -> tuple[str, ...]:
    """The partitions that are asked for."""
    if product.partitions is None:
        if asked:
            raise UnknownName(f"'{product.name}' has no partitions; leave --partition out, or declare them in its descriptor")
        return ()
    return product.partitions.select(product.name, asked, config.clock())


def _land(config: Config, product: DataProduct, progress: Progress) -> dict[str, LandedSource]:
    if not product.sources:
        return {}
    with progress.of(product.name, "ingest") as say:
        landings = {source.name: ingest.land(product, source, config.storage / "raw") for source in product.sources}
        say(f"{counted(len(landings), 'source')}, {sum(landing.rows for landing in landings.values()):,} rows")
    return landings


def declared_parameters(product: DataProduct) -> dict[str, dict[str, Parameter]]:
    """What the notebooks of a product can be given, by port and name."""
    return {port.name: parameters(port.notebook) for port in product.ports if port.notebook is not None}


def assign_parameters(config: Config, product: DataProduct, given: Parameters) -> dict[str, dict[str, Any]]:
    """The given parameters by the notebook port that declares them; those that are its defaults are left out.

    Raises `NotebookError` for a value of another type, one that holds a secret, or one that no notebook takes.
    """
    if not given:
        return {}
    _refuse_secrets(product, given, Secrets.from_environment(config))
    known = declared_parameters(product)
    for key in given:
        if not any(key in declared for declared in known.values()):
            raise NotebookError(f"no notebook of '{product.name}' has a parameter '{key}'")
    placed = {}
    for port in product.ports:
        if port.notebook:
            declared = known[port.name]
            mine = check_parameters(port.notebook, declared, {key: given[key] for key in given if key in declared})
            placed[port.name] = {key: value for key, value in mine.items() if value != declared[key].default}
    return {name: values for name, values in placed.items() if values}


def _refuse_secrets(product: DataProduct, given: Parameters, secrets: Secrets) -> None:
    """Parameters stand in records, fingerprints and executed copies."""
    for name, value in given.items():
        if secret := secrets.found_in(value):
            raise NotebookError(
                f"the parameter '{name}' of '{product.name}' holds the secret {secret}, and parameters are recorded; "
                f"leave it out and write os.environ['{secret}'] in the notebook"
            )


def check_partition_parameters(product: DataProduct) -> Iterator[Finding]:
    """Find the notebooks of a partitioned product that declare no parameter for their partition."""
    if product.partitions:
        for port in product.ports:
            if port.notebook is not None:
                declared = parameters(port.notebook).get(PARTITION)
                if declared is None or declared.type != "str":
                    parameter = f"a parameter `{PARTITION}: str = …` in its cell tagged `parameters`"
                    message = f"'{product.name}' is partitioned, so it needs {parameter}"
                    yield Finding(product.name, port.notebook, None, message)


def with_partition(product: DataProduct, given: Mapping[str, Parameters], key: str) -> dict[str, Parameters]:
    """The parameters of each notebook port, its partition among them."""
    return {port.name: {**given.get(port.name, {}), PARTITION: key} for port in product.ports if port.notebook is not None}


def _parts(product: DataProduct, pins: Mapping[str, Pin], landings: Mapping[str, LandedSource]) -> dict[str, Any]:
    """What a fingerprint is made of, but for the parameters. Inputs count by content, not by version."""
    return {
        "kit": __version__,
        "code": product.code_digest(),
        "inputs": {
            name: {key: value for key, value in pinned.to_json().items() if key != "version"} for name, pinned in pins.items()
        },
        "sources": {name: landing.digest for name, landing in landings.items()},
    }


def _needs(product: DataProduct) -> dict[str, str]:
    """What consumers state they need: a new need is tested, but makes no partition anew."""
    return {f"{port.name} {need.consumer}": sha256(need.contract.path) for port in product.ports for need in port.needs}


def _digest(parts: Mapping[str, Any], parameters: Parameters, key: str | None = None) -> str:
    """The fingerprint of a snapshot, or of one of its partitions."""
    whole = {**parts, "parameters": parameters, **({"partition": key} if key else {})}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
