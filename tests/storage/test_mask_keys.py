from kit.build.build import build
from kit.build.masking import masked_with_other_key
from kit.build.plan import BuildRequest
from kit.core.config import Config
from kit.governance.masks import check_keys
from kit.mesh.context import Context
from kit.orchestration.run import RunReporter, run
from kit.storage.mask_keys import current_mask_keys, mask_key_problems
from kit.storage.status import statuses
from kit.sync.sync import sync
from tests.support.small_mesh import SmallMesh, write

OLD, NEW = "the old key, long enough", "the new key, long enough"


def keyed(small: SmallMesh, key: str) -> Config:
    return Config.load(small.root, {"KIT_MASK_KEY": key})


def publish(small: SmallMesh, name: str, key: str) -> None:
    outcome = build(keyed(small, key), small.product(name))
    assert outcome.status == "published", outcome.message


def masked_mesh(small: SmallMesh) -> None:
    """`shop` and its copy `store` mask the item, `plan` inherits the item of `shop`."""
    small.mask("shop/contracts/totals.odcs.yaml", item="hmac")
    small.mask("plan/contracts/forecast.odcs.yaml", item="inherited")
    shop = small.domains / "shop"
    for path in [path for path in shop.rglob("*") if path.is_file()]:
        write(small.domains / "store" / path.relative_to(shop), path.read_text().replace("shop", "store"))
    sync(small.context)
    for name in ("shop", "store", "plan"):
        publish(small, name, OLD)


def test_products_of_one_key_are_no_problem(small: SmallMesh) -> None:
    masked_mesh(small)
    keys = current_mask_keys(small.store, ["shop", "store", "plan"])
    assert set(keys) == {"shop", "store", "plan"}
    assert len(set(keys.values())) == 1
    assert mask_key_problems(small.store, keys) == {}
    assert list(check_keys(small.context)) == []
    assert not any(row.note for row in statuses(small.context))


def test_products_masked_with_different_keys_are_named_everywhere_with_the_cure(small: SmallMesh) -> None:
    masked_mesh(small)
    publish(small, "shop", NEW)
    problems = mask_key_problems(small.store, ["shop", "store", "plan"])
    # The inherited column of `plan` still has the tokens of the old snapshot of `shop`.
    assert set(problems) == {"shop", "store", "plan"}
    message, cure = problems["store"]
    assert "shop" in message
    assert "plan" not in message
    assert "kit run shop store plan" in cure
    assert [finding.product for finding in check_keys(small.context)] == list(problems)
    notes = {row.product.name: row.note for row in statuses(small.context)}
    assert all(problems[name][1] in notes[name] for name in problems)


def test_a_product_without_tokens_has_no_key(small: SmallMesh) -> None:
    small.mask("shop/contracts/totals.odcs.yaml", item="hmac")
    sync(small.context)
    publish(small, "shop", OLD)
    publish(small, "plan", "")
    assert set(current_mask_keys(small.store, ["shop", "plan"])) == {"shop"}


def test_a_run_under_a_new_key_builds_all_products_with_tokens(small: SmallMesh) -> None:
    masked_mesh(small)
    joined: list[str] = []

    class Recorder(RunReporter):
        def joined(self, products: object) -> None:
            joined.extend(map(str, products))  # type: ignore[call-overload]

    config = keyed(small, NEW)
    assert masked_with_other_key(Context(keyed(small, OLD)).with_mesh(small.mesh), [small.product("shop")]) == ()
    assert masked_with_other_key(Context(keyed(small, "")).with_mesh(small.mesh), [small.product("shop")]) == ()
    result = run(Context(config), ["shop"], reporter=Recorder())
    assert {outcome.product: outcome.status for outcome in result} == dict.fromkeys(("shop", "store", "plan"), "published")
    assert sorted(joined) == ["plan", "store"]
    assert mask_key_problems(small.store, ["shop", "store", "plan"]) == {}


def test_partitions_of_one_product_have_one_key(small: SmallMesh) -> None:
    small.partitioned_shop()
    small.mask("shop/sources/sales.odcs.yaml", sale_id="hmac")
    small.mask("shop/contracts/sales.odcs.yaml", sale_id="inherited")
    sync(small.context)
    publish(small, "shop", OLD)
    refused = build(keyed(small, NEW), small.product("shop"), BuildRequest(partitions=("tea",), force=True))
    assert refused.failed
    assert "`kit run shop`" in refused.message
    publish(small, "shop", NEW)
