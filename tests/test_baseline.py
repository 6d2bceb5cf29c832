from kit.baseline import suite
from tests.small_mesh import SmallMesh


def test_the_suite_says_what_the_contract_says(small: SmallMesh) -> None:
    contract = small.product("shop").ports[1].contract
    found = suite(contract)
    assert [item["meta"]["rule"] for item in found["expectations"]] == [rule.name for rule in contract.rules]
    assert found["expectations"][-1]["kwargs"]["unexpected_rows_query"] == (
        "select observed from (\nselect (select sum(amount) from {batch}) - (select sum(amount) from raw.sales)\n"
        ") as rule(observed) where not coalesce(observed = 0, false)"
    )


def test_plain_great_expectations_loads_it_whole(small: SmallMesh) -> None:
    import great_expectations as gx

    found = suite(small.product("shop").ports[0].contract)
    assert len(gx.ExpectationSuite(**found).expectations) == len(found["expectations"])
