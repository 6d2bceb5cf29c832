"""The checks of the snapshot that readers see, judged without a build."""

from kit.contracts import Check
from kit.core import Config
from kit.mesh import DataProduct
from kit.quality import age_checks, audit_targets
from kit.storage import Store


def published_checks(config: Config, product: DataProduct) -> tuple[Check, ...]:
    """Return the checks of the current snapshot. A snapshot never changes, so they are those of its build, except for the age
    of the data, which is measured now. Raises `NotPublished` when there is no snapshot.
    """
    with Store(config.storage).open(product.name) as snapshot:
        manifest = snapshot.manifest
    ages = {
        (check.table, check.rule): check
        for target in audit_targets(product)[1]
        if (newest := manifest["ports"].get(target.table, {}).get("newest"))
        for check in age_checks(target, newest, config.clock())
    }
    built = map(Check.from_json, manifest["checks"])
    return tuple(ages.get((check.table, check.rule), check) for check in built)
