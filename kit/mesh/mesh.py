"""All data products of a mesh, and the graph of their ports."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from kit.contracts import ConsumerContract, DocumentReader, Finding
from kit.core import KitError, MeshError, UnknownName, Where, read_yaml, short, there_are
from kit.mesh import versions
from kit.mesh.contents import Contents
from kit.mesh.product import DESCRIPTOR, DataProduct, InputPort, OutputPort


def serving_port(item: InputPort, provider: DataProduct) -> str | None:
    """Return the id of the provider's port that serves an input; None for none.

    It may be the port that keeps an older version.
    """
    offered = {port.name: port.contract.version for port in provider.ports}
    name = versions.resolve_version(item.name.partition(".")[2], item.version, offered)
    return f"{provider.name}.{name}" if name else None


def resolve_inputs(product: DataProduct, products: Mapping[str, DataProduct]) -> DataProduct:
    """Return the product with the serving ports as its inputs; inputs from a broken provider stay as declared."""

    def resolve(item: InputPort) -> InputPort:
        port = serving_port(item, products[item.product]) if item.product in products else None
        return replace(item, port=port, declared=item.port) if port and port != item.port else item

    ports = tuple(replace(port, reads=tuple(map(resolve, port.reads))) for port in product.ports)
    return replace(product, inputs=tuple(map(resolve, product.inputs)), ports=ports)


def attach_needs(products: Mapping[str, DataProduct]) -> dict[str, DataProduct]:
    """Return the products with the consumer contracts of each port at that port."""
    needs: dict[str, list[ConsumerContract]] = {}
    for product in products.values():
        for item in product.inputs:
            needs.setdefault(item.port, []).extend(need for need in product.needs if need.port == item.name)

    def attach(product: DataProduct) -> DataProduct:
        ports = tuple(replace(port, needs=tuple(needs.get(port.id, ()))) for port in product.ports)
        return replace(product, ports=ports) if ports != product.ports else product

    return {name: attach(product) for name, product in products.items()}


@dataclass(frozen=True)
class Broken:
    """A domain folder that cannot be used, and the reason."""

    name: str
    folder: Path
    finding: Finding

    @classmethod
    def from_error(cls, folder: Path, error: Exception) -> "Broken":
        """The product in a folder that an error makes unusable."""
        return cls(folder.name, folder, Finding.from_error(folder.name, error))


@dataclass(frozen=True)
class Mesh:
    """The valid products, providers before consumers, and the broken ones.

    `contents` are those of the folders that they were read from.
    """

    products: tuple[DataProduct, ...]
    broken: tuple[Broken, ...]
    contents: Contents = field(default_factory=Contents, compare=False, repr=False)

    @classmethod
    def load(cls, domains: Path, cache: Path | None = None) -> "Mesh":
        """Read every folder of `domains`; an error in one product makes only that product broken.

        Valid products are remembered in the folder `cache`, if one is given. Raises `MeshError` when there is no folder
        `domains`.
        """
        contents = Contents(cache)
        healthy: dict[str, DataProduct] = {}
        broken: dict[str, Broken] = {}
        for folder in folders(domains):
            try:
                healthy[folder.name] = contents.remembered("products", folder, partial(_load, folder, cache))
            except (KitError, OSError) as error:
                broken[folder.name] = Broken.from_error(folder, error)
        contents.save()
        _break_unmet(healthy, broken)
        _break_cycles(healthy, broken)
        healthy = attach_needs({name: resolve_inputs(product, healthy) for name, product in healthy.items()})
        order = TopologicalSorter(_providers(healthy)).static_order()
        products = tuple(healthy[name] for name in order if name in healthy)
        return cls(products, tuple(broken[name] for name in sorted(broken)), contents)

    def product(self, name: str) -> DataProduct:
        """Return a product by name; raises `UnknownName`, or `MeshError` with the reason when it is broken."""
        for product in self.products:
            if product.name == name:
                return product
        for item in self.broken:
            if item.name == name:
                raise MeshError(f"the data product '{name}' is broken: {item.finding}")
        raise UnknownName(f"there is no data product '{name}'; {there_are(name, self.names)}")

    def port(self, port: str) -> OutputPort:
        """Return the port `PRODUCT.PORT`; raises `UnknownName` or `MeshError`."""
        product, dot, name = port.partition(".")
        if not dot:
            raise UnknownName(f"'{port}' is not PRODUCT.PORT; {there_are(port, sorted(p.id for p in self.ports))}")
        provider = self.product(product)
        output = provider.port(name)
        if output is None:
            raise UnknownName(f"'{product}' has no port '{name}'; {there_are(port, sorted(p.id for p in provider.ports))}")
        return output

    @cached_property
    def ports(self) -> tuple[OutputPort, ...]:
        """All ports of the valid products."""
        return tuple(port for product in self.products for port in product.ports)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all products, broken ones included."""
        return tuple(sorted([product.name for product in self.products] + [item.name for item in self.broken]))

    def consumers(self, product: str) -> tuple[str, ...]:
        """Return the names of the products that read a port of this product directly."""
        return tuple(p.name for p in self.products if any(i.product == product for i in p.inputs))

    def readers(self, port: str) -> tuple[DataProduct, ...]:
        """Return the products that read a port, also those that declare it by the name of its newer version."""
        return tuple(product for product in self.products if any(item.port == port for item in product.inputs))

    def possible_readers(self, port: str) -> tuple[str, ...]:
        """Return the broken products that read a port, or may: those whose inputs cannot be read from their descriptor."""
        product = port.partition(".")[0]
        newer = {f"{product}.{other.contract.major_of}" for other in self.ports if other.id == port}
        return tuple(item.name for item in self.broken if item.name != product and _may_read(item.folder, {port, *newer}))

    def select(self, names: Iterable[str], *, upstream: bool = False, downstream: bool = False) -> tuple[DataProduct, ...]:
        """Return the named products, or the products of the named ports, in build order; all products without a name.

        Raises `UnknownName`, or `MeshError` for a named product that is broken.
        """
        names = tuple(names)
        for name in names:
            self._find(name)
        return self.pick(names, upstream=upstream, downstream=downstream).products

    def pick(self, names: Iterable[str], *, upstream: bool = False, downstream: bool = False) -> "Mesh":
        """Return the part of the mesh that is named, the broken products among it; the whole mesh without a name.

        Raises `UnknownName`.
        """
        names = tuple(names)
        if not names:
            return self
        for name in names:
            with suppress(MeshError):
                self._find(name)
        chosen = {name.partition(".")[0] for name in names}
        chosen |= (self._reach(chosen, up=True) if upstream else set()) | (
            self._reach(chosen, up=False) if downstream else set()
        )
        products = tuple(product for product in self.products if product.name in chosen)
        return replace(self, products=products, broken=tuple(item for item in self.broken if item.name in chosen))

    def _find(self, name: str) -> DataProduct | OutputPort:
        return self.port(name) if "." in name else self.product(name)

    def _reach(self, start: set[str], *, up: bool) -> set[str]:
        steps: dict[str, set[str]] = {}
        for product in self.products:
            for port in product.inputs:
                first, second = (product.name, port.product) if up else (port.product, product.name)
                steps.setdefault(first, set()).add(second)
        reached, todo = set(start), list(start)
        while todo:
            for name in steps.get(todo.pop(), set()) - reached:
                reached.add(name)
                todo.append(name)
        return reached


def _load(folder: Path, cache: Path | None) -> DataProduct:
    documents = DocumentReader(cache, folder.name)
    try:
        return DataProduct.load(folder, documents)
    finally:
        documents.save()


def folders(domains: Path) -> list[Path]:
    """Return the folders of data products, sorted by name; raises `MeshError` when `domains` is no folder."""
    if not domains.is_dir():
        raise MeshError(f"{short(domains)} is not a folder; a mesh keeps one folder per data product there")
    with os.scandir(domains) as entries:
        return sorted(Path(entry.path) for entry in entries if entry.is_dir() and not entry.name.startswith((".", "_")))


def _may_read(folder: Path, ports: set[str]) -> bool:
    """Whether a broken product has one of the ports among its inputs, or its inputs are not known."""
    if not (folder / DESCRIPTOR).exists():
        return False
    try:
        inputs = read_yaml(folder / DESCRIPTOR).data.get("inputPorts") or []
        return any(item["name"] in ports for item in inputs)
    except (KitError, OSError, AttributeError, LookupError, TypeError):
        return True


def _providers(products: dict[str, DataProduct]) -> dict[str, list[str]]:
    return {name: sorted({port.product for port in product.inputs}) for name, product in products.items()}


def _break_unmet(healthy: dict[str, DataProduct], broken: dict[str, Broken]) -> None:
    """Move products with an input port that no product offers to the broken ones.

    An input from a broken product is valid: its last published snapshot is still read.
    """
    for product in list(healthy.values()):
        for port in product.inputs:
            provider = healthy.get(port.product)
            if provider is None and port.product in broken:
                continue
            offered = provider.port(port.port.partition(".")[2]) if provider else None
            serving = serving_port(port, provider) if provider else None
            if offered is None:
                known = (p.id for other in healthy.values() for p in other.ports if other is not product)
                problem = f"no product offers '{port.port}'; {there_are(port.port, sorted(known))}"
            elif serving is None:
                problem = f"'{port.port}' is declared in version {port.version}, but {offered.contract.version} is offered"
            elif serving != port.port and serving in (other.port for other in product.inputs):
                problem = f"'{port.port}' in version {port.version} is '{serving}', which is declared too; keep one of the two"
            else:
                continue
            broken[product.name] = _broken(product, problem, port)
    for name in broken:
        healthy.pop(name, None)


def _break_cycles(healthy: dict[str, DataProduct], broken: dict[str, Broken]) -> None:
    while True:
        try:
            TopologicalSorter(_providers(healthy)).prepare()
            return
        except CycleError as error:
            cycle = list(reversed(error.args[1]))
            path = " → ".join(cycle)
            for name in set(cycle):
                product = healthy.pop(name)
                broken[name] = _broken(product, f"products read each other in a circle: {path}")


def _broken(product: DataProduct, problem: str, item: InputPort | None = None) -> Broken:
    """A product that cannot be built because of one of its input ports, or of all of them."""
    document = read_yaml(product.folder / DESCRIPTOR)
    names = [entry["name"] for entry in document.data["inputPorts"]]
    where: Where = ["inputPorts", names.index(item.port)] if item else ["inputPorts"]
    return Broken.from_error(product.folder, document.error(where, problem))
