from kit.orchestration.asset_specs import asset_key
from kit.orchestration.column_deps import column_deps
from kit.sync.sync import sync
from tests.support.products import write_dbt_reader
from tests.support.small_mesh import SmallMesh


def test_columns_lead_from_domain_to_domain(small: SmallMesh) -> None:
    write_dbt_reader(small.domains / "reader", "amount", "1.0.0")
    sync(small.context)
    deps = {
        ".".join(key.path): {
            column: [f"{'.'.join(dep.asset_key.path)}.{dep.column_name}" for dep in found]
            for column, found in lineage.deps_by_column.items()
        }
        for name in ("shop", "reader")
        for key, lineage in column_deps(small.context, small.product(name)).items()
    }
    assert deps["shop.totals"] == {"item": ["shop.sales.item"], "amount": ["shop.sales.amount"]}
    assert deps["shop.sales"]["item"] == ["shop.raw.sales.item"]
    (reader,) = (columns for table, columns in deps.items() if table.startswith("reader."))
    assert reader["amount"] == ["shop.totals.amount"]
    assert column_deps(small.context, small.product("plan")).keys() <= {asset_key("plan.forecast")}
