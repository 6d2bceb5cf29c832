"""An existing dbt project that becomes a data product: its files, models and sources, and whatever no build can take."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from kit.contracts import Finding
from kit.core import IDENTIFIER, KitError, TransformError, mappings, read_text, short
from kit.dbt.project import files_below, folder_names, read_loosely
from kit.dbt.refusals import refusals
from kit.mesh import RAW

_FOLDERS = {
    "model-paths": "models", "seed-paths": "seeds", "macro-paths": "macros", "test-paths": "tests",
    "analysis-paths": "analyses", "snapshot-paths": "snapshots", "docs-paths": "", "asset-paths": "",
}  # fmt: skip
_FILES = ("packages.yml", "dependencies.yml", "package-lock.yml", "selectors.yml")
_KEPT_OUT = shutil.ignore_patterns(".*", "__pycache__")
_NOT_PORTS = ("staging", "intermediate", "base")
_KEPT_IN_YAML = ("exposures", "metrics", "semantic_models", "saved_queries", "groups")


@dataclass(frozen=True)
class DbtModel:
    """A model of the project. `folders` are the parts of its dbt name between project and model."""

    id: str
    name: str
    file: str
    yaml: str
    folders: tuple[str, ...]
    materialized: str
    reads: tuple[str, ...]
    description: str
    columns: Mapping[str, str]


@dataclass(frozen=True)
class DbtSource:
    """A table that the project reads and does not make; `file` declares it."""

    id: str
    source: str
    name: str
    identifier: str
    schema: str
    file: str

    @property
    def label(self) -> str:
        """The name of the source as `source()` has it."""
        return f"{self.source}.{self.name}"


class DbtOrigin:
    """A dbt project in the folder `path`, as dbt itself reads it."""

    def __init__(self, path: Path) -> None:
        """Raises `KitError` for a folder without a dbt project."""
        self.path = path
        if not path.is_dir():
            raise KitError(f"{short(path)} is no folder; name the folder of a dbt project, which has a dbt_project.yml")
        if not (path / "dbt_project.yml").is_file():
            below = sorted(path.glob("*/dbt_project.yml"))
            hint = f"; there is one in {short(below[0].parent)}" if below else ""
            raise KitError(f"{short(path)} has no dbt_project.yml; name the folder of a dbt project{hint}")
        self.settings = read_loosely(path / "dbt_project.yml")
        self.project = str(self.settings.get("name"))
        self.models: dict[str, DbtModel] = {}
        self.sources: list[DbtSource] = []
        # Also those that are disabled, since in many projects they are data for a first trial.
        parts = folder_names(self.settings, "seed-paths", "seeds")
        self.seeds = {file.stem: file for part in parts for file, _ in files_below(path / part) if file.suffix == ".csv"}
        self._read: set[str] = set()

    def read(self) -> list[Finding]:
        """Read models, sources and seeds; return whatever a data product cannot take over."""
        obstacles = list(self._obstacles())
        try:
            with TemporaryDirectory(prefix="kit-") as folder:
                from kit.dbt.runner import manifest

                # In a copy, since dbt writes into the folder of a project.
                self.copy_to(Path(folder) / "project")
                parsed = manifest(Path(folder) / "project", Path(folder) / "target")
        except TransformError as error:
            if not obstacles:
                obstacles.append(self._finding("dbt_project.yml", 1, str(error).replace(f"{folder}/project/", "")))
            return obstacles
        nodes = [node for node in parsed.nodes.values() if node.package_name == self.project]
        for node in nodes:
            if str(node.resource_type) == "model":
                obstacles += self._add_model(node)
        for node in parsed.nodes.values():
            if str(node.resource_type) in ("model", "test", "unit_test"):
                self._read |= set(node.depends_on.nodes)
        self.sources = [
            DbtSource(key, item.source_name, item.name, item.identifier, item.schema, item.original_file_path)
            for key, item in sorted(parsed.sources.items())
            if key in self._read
        ]
        return obstacles

    def copy_to(self, folder: Path) -> None:
        """Copy the files that dbt reads into a new folder; raises `KitError` for a file that cannot be read."""
        folder.mkdir(parents=True)
        shutil.copyfile(self.path / "dbt_project.yml", folder / "dbt_project.yml")
        for part in (*self._folders(), self._packages()):
            if self._is_inside(part) and (self.path / part).is_dir():
                shutil.copytree(self.path / part, folder / part, ignore=_KEPT_OUT, dirs_exist_ok=True)
        for name in _FILES:
            if (self.path / name).is_file():
                shutil.copyfile(self.path / name, folder / name)

    def ports(self, named: Sequence[str]) -> list[DbtModel]:
        """The models that become ports: those `named`, else those in a folder `marts`, else those that no other model reads."""
        models = {model.name: model for model in self.models.values()}
        if unknown := [name for name in named if name not in models]:
            names = ", ".join(sorted(models)) or "none"
            raise KitError(f"{short(self.path)} has no model '{unknown[0]}'; there are: {names}")
        if named:
            return [models[name] for name in dict.fromkeys(named)]
        found = [model for model in models.values() if "marts" in model.folders]
        if not found:
            read = {name for model in models.values() for name in model.reads}
            found = [
                model for model in models.values()
                if model.id not in read and model.materialized != "ephemeral" and not set(_NOT_PORTS) & set(model.folders)
            ]  # fmt: skip
        if not found:
            raise KitError(f"{short(self.path)} has no model that could be a port; name models with --port")
        return sorted(found, key=lambda model: model.name)

    def port_obstacles(self, ports: Sequence[DbtModel]) -> Iterator[Finding]:
        """Find the models that cannot be ports."""
        for model in ports:
            if not IDENTIFIER.fullmatch(model.name) or model.name == RAW or "__" in model.name:
                problem = f"'{model.name}' cannot name a port; use a-z, 0-9 and single _, a letter first, not '{RAW}'"
                yield self._finding(model.file, 1, problem, "rename the model, or choose others with --port")

    def is_seed_of_source(self, name: str) -> bool:
        """Whether a seed holds the data of a source: no model reads it as a seed."""
        return name in self.seeds and f"seed.{self.project}.{name}" not in self._read

    def line_of(self, file: str, kind: str, *names: str) -> int:
        """The line of an entry in a YAML file of the project: of `kind`, and of its tables or columns below."""
        with suppress(OSError, ValueError, yaml.YAMLError):
            node: Any = yaml.compose(read_text(self.path / file), Loader=yaml.SafeLoader)
            line = 1
            for key, name in zip((kind, "columns" if kind == "models" else "tables"), names, strict=False):
                items = next((value for child, value in node.value if child.value == key), None)
                for item in items.value if items else ():
                    if any(child.value == "name" and value.value == name for child, value in item.value):
                        node, line = item, item.start_mark.line + 1
            return line
        return 1

    def kept_in_yaml(self) -> Iterator[Finding]:
        """Find what stays in YAML files although only dbt reads it."""
        for part in folder_names(self.settings, "model-paths", "models"):
            for path in sorted((self.path / part).rglob("*.y*ml")):
                keys = [key for key in _KEPT_IN_YAML if read_loosely(path).get(key)]
                if keys:
                    match = re.search(rf"^{keys[0]}:", text := read_text(path), re.MULTILINE)
                    line = text.count("\n", 0, match.start()) + 1 if match else 1
                    kinds = ", ".join(key.replace("_", " ") for key in keys)
                    yield Finding("", path, line, f"{kinds} stay in this file; only dbt reads them")

    def _add_model(self, node: Any) -> Iterator[Finding]:
        if getattr(node, "version", None) is not None:
            problem = f"'{node.name}' has versions, of which dbt makes one table each"
            yield self._finding(node.original_file_path, 1, problem, "keep one; the kit has versions of contracts")
        self.models[node.unique_id] = DbtModel(
            id=node.unique_id, name=node.name, file=node.original_file_path, yaml=str(node.patch_path or "").partition("://")[2],
            folders=tuple(node.fqn[1:-1]), materialized=node.config.materialized, reads=tuple(node.depends_on.nodes),
            description=node.description.strip(),
            columns={name.lower(): column.description.strip() for name, column in node.columns.items()},
        )  # fmt: skip

    def _obstacles(self) -> Iterator[Finding]:
        for refused in refusals(self.path, may_grow=False):
            yield Finding("", refused.path, refused.line or 1, refused.message)
        for part in self._folders():
            for root, folders, names in os.walk(self.path / part):
                for path in (Path(root, name) for name in (*folders, *names)):
                    if path.is_symlink():
                        yield Finding("", path, 1, "is a link, whose target would be published", "put a copy in its place")
        yield from self._missing_packages()

    def _missing_packages(self) -> Iterator[Finding]:
        installed = [_package_name(path) for path in (self.path / self._packages()).glob("*") if path.is_dir()]
        for name in ("packages.yml", "dependencies.yml"):
            data = read_loosely(self.path / name)
            entries = [*mappings(data.get("packages"))]
            for entry in entries if len(installed) < len(entries) else ():
                label = str(next((entry[key] for key in ("package", "git", "local", "tarball") if key in entry), "a package"))
                if _package_name(Path(label)) not in installed:
                    problem = f"the package {label} is not installed in {self._packages()}"
                    fix = f"run `dbt deps` in {short(self.path)}, or remove the package and what uses it"
                    yield self._finding(name, self._line_of_text(name, label), problem, fix)
            for entry in mappings(data.get("projects")):
                label = str(entry.get("name"))
                problem = f"reads another dbt project, {label}, which a data product reads by its ports"
                yield self._finding(name, self._line_of_text(name, label), problem, "declare its tables as sources")

    def _folders(self) -> list[str]:
        parts = [part for key, default in _FOLDERS.items() for part in folder_names(self.settings, key, default) if part]
        return list(dict.fromkeys(parts))

    def _is_inside(self, part: str) -> bool:
        return (self.path / part).resolve().is_relative_to(self.path.resolve())

    def _packages(self) -> str:
        return str(self.settings.get("packages-install-path") or "dbt_packages")

    def _line_of_text(self, file: str, text: str) -> int:
        lines = read_text(self.path / file).splitlines()
        return next((number for number, line in enumerate(lines, 1) if text in line), 1)

    def _finding(self, file: str, line: int, message: str, fix: str = "") -> Finding:
        return Finding("", self.path / file, line, message, fix)


def _package_name(path: Path) -> str:
    """The name of a package's folder, by which one that was named otherwise, as on GitHub, is compared."""
    return re.sub(r"\W", "_", path.name.removesuffix(".git"))
