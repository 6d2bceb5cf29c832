"""`kit doctor --fix`: repairs the records of a storage; what it replaces is kept under another name beside it."""

import shutil
from collections.abc import Iterator

from kit.build import notify
from kit.contracts import Finding
from kit.core import Config, KitError, Newer, SingleInstance, Unreadable, exists, machine_problem, read_yaml, set_aside, short
from kit.governance.verification import dagster_damage
from kit.mesh import Context
from kit.storage import RECORD, Runs, Store, catalog_version, current_user, index, restore_pointer


def repair(context: Context) -> Iterator[Finding]:
    """Repair pointers, catalogs, run records, the index and Dagster's home; yield what was done as findings of severity `info`.

    What cannot be repaired is a finding of severity `error`; all the rest is repaired.
    """
    config = context.config
    for product in context.mesh.names:
        yield from _tried(product, _product(config, product))
    yield from _tried("index", _index(context))
    yield from _tried("Dagster", _dagster(config))


def _tried(name: str, repairs: Iterator[str]) -> Iterator[Finding]:
    try:
        for text in repairs:
            yield Finding(name, None, None, text, severity="info")
    except KitError as error:
        yield Finding.from_error(name, error)
    except OSError as error:
        yield Finding(name, None, None, f"cannot be repaired: {machine_problem(error) or error}")


def _product(config: Config, name: str) -> Iterator[str]:
    store, runs = Store(config.storage), Runs(config.storage)
    if not store.folder(name).is_dir():
        return
    if version := restore_pointer(store, name, current_user()):
        yield f"its pointer names snapshot {version} now"
        yield from notify(config, lambda listener: listener.moved(config, name))
    snapshot = store.current(name)
    if snapshot and catalog_version(store, name) != snapshot.version:
        store.repair_catalog(name)
        yield f"its Intake catalog names snapshot {snapshot.version} now"
    for run_id, error in runs.damaged(name).items():
        if isinstance(error, Unreadable | Newer):  # it may be in order
            continue
        yield f"the record of run {run_id} was moved to {short(set_aside(runs.folder(name, run_id) / RECORD))}"


def _index(context: Context) -> Iterator[str]:
    error = index.damage(context.config)
    if isinstance(error, Unreadable):
        raise error
    if error and error.path:
        if exists(error.path):
            set_aside(error.path)
        index.write(context)
        yield "rebuilt from the products"


def _dagster(config: Config) -> Iterator[str]:
    home = config.dagster_home
    settings = home / "dagster.yaml"
    if exists(settings):
        try:
            usable = bool(read_yaml(settings).data)
        except KitError:
            usable = False
        if not usable:
            yield f"its settings were moved to {short(set_aside(settings))}; the next run writes new ones"
    if dagster_damage(config):
        with SingleInstance("Dagster", home / "dev").held():
            aside = set_aside(home)
            if (aside / settings.name).is_file():
                home.mkdir()
                shutil.copy2(aside / settings.name, home)
        yield f"its history was moved to {short(aside)}; the next run begins a new one, the snapshots are as they were"
