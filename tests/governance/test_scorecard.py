import json

from kit.core.policy import Policy
from kit.governance.scorecard import Fact, Score, scores
from kit.mesh.context import Context
from tests.support.small_mesh import SmallMesh, write


def failed(score: Score) -> list[tuple[str, str]]:
    return [(fact.trait, fact.text) for fact in score.facts if fact.passed is False]


def test_a_share_is_that_of_the_known_facts() -> None:
    facts = (Fact("secure", "a", True, ""), Fact("secure", "b", False, "rewrite", 2), Fact("secure", "c", None, "build"))
    score = Score("shop", (*facts, Fact("valuable", "d", False, "a line")))
    assert [score.share(trait) for trait in ("secure", "valuable", "addressable")] == [0.5, 0.0, None]
    assert score.cheapest == Fact("valuable", "d", False, "a line")
    assert score.to_json()["facts"][1:3] == [
        {"trait": "secure", "fact": "b", "passed": False, "fix": "rewrite"},
        {"trait": "secure", "fact": "c", "passed": None, "fix": None},
    ]


def test_what_only_a_snapshot_tells_is_not_known_before_the_first(small: SmallMesh) -> None:
    plan = scores(small.context)[1]
    assert plan.product == "plan"
    assert failed(plan) == [
        ("discoverable", "has tags"),
        ("understandable", "forecast: its grain is described"),
        ("understandable", "forecast: usage described"),
        ("understandable", "forecast: limitations described"),
        ("valuable", "forecast: is read in the mesh"),
        ("secure", "forecast: every column is classified"),
    ]
    assert [plan.share(trait) for trait in ("addressable", "accessible", "trustworthy")] == [None, None, 1.0]
    assert plan.cheapest is not None
    assert plan.cheapest.fix.startswith("write tags in ")


def test_a_snapshot_is_looked_at_itself(small: SmallMesh) -> None:
    small.publish("shop")
    shop = scores(small.context)[0]
    assert [shop.share(trait) for trait in ("addressable", "accessible", "trustworthy", "valuable")] == [1.0, 1.0, 1.0, 0.5]
    snapshot = small.store.current("shop")
    assert snapshot is not None
    (file,) = snapshot.files("sales")
    file.chmod(0o644)
    write(file, "no Parquet")
    small.mask("shop/contracts/totals.odcs.yaml", item="hmac")
    snapshot.folder.parent.joinpath("catalog.yaml").unlink()
    shop = scores(small.context)[0]
    assert [text for trait, text in failed(shop) if trait in ("addressable", "accessible")] == [
        "sales: is in the catalog of its snapshot",
        "sales: plain Parquet files",
        "sales: SQL reads the columns of its contract",
        "sales: plain Intake finds it",
        "totals: is in the catalog of its snapshot",
        "totals: plain Intake finds it",
    ]
    assert ("secure", "totals: is masked as in its contract") in failed(shop)


def test_personal_columns_need_a_mask_or_a_reason(small: SmallMesh) -> None:
    path = small.domains / "plan/contracts/forecast.odcs.yaml"
    data = json.loads(path.read_text())
    data["schema"][0]["properties"][0]["classification"] = "personal"
    write(path, json.dumps(data))
    told = ("secure", "forecast: personal columns are masked or exempted")
    assert told in failed(scores(small.context)[1])
    exempt = Policy(unmasked={"*.item": "made up"})
    small_config = small.config.__class__(**{**vars(small.config), "policy": exempt})
    assert told not in failed(scores(Context(small_config))[1])


def test_of_a_broken_product_only_that_is_known(small: SmallMesh) -> None:
    write(small.domains / "plan/product.odps.yaml", "name: plan")
    broken = scores(small.context)[1]
    assert failed(broken) == [("interoperable", "its files follow ODPS and ODCS")]
