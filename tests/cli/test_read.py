from tests.support.small_mesh import SmallMesh


def test_a_query_that_fails_is_one_message(small: SmallMesh) -> None:
    small.publish("shop")
    done = small.kit("read", "shop.totals", "--sql", "select nothing from totals")
    assert done.returncode == 1
    assert done.stderr.startswith('error: the query failed: Binder Error: Referenced column "nothing" not found')
    assert small.kit("read", "shop.totals", "--sql", "drop table totals").returncode == 1


def test_text_of_the_data_is_shown_as_it_is(small: SmallMesh) -> None:
    small.publish("shop")
    done = small.kit("read", "shop.totals", "--sql", "select '[red] [/x] :smile:' as \"[b]\" -- a comment;\n")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == ["[b]               ", "[red] [/x] :smile:"]


def test_history_of_a_port_that_does_not_exist_is_refused(small: SmallMesh) -> None:
    small.publish("shop")
    done = small.kit("history", "shop.typo")
    assert (done.returncode, done.stderr) == (1, "error: 'shop' has no port 'typo'; there are: shop.sales, shop.totals\n")
