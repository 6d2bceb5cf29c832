from contextlib import ExitStack
from dataclasses import replace

import pytest

from kit.contracts.contract import Version
from kit.core.errors import NotPublished
from kit.mesh.product import InputPort
from kit.storage.pins import pin_inputs, serving_port
from tests.support.small_mesh import SmallMesh


def test_an_input_is_pinned_to_the_current_snapshot_and_held(small: SmallMesh) -> None:
    first = small.publish("shop")
    with ExitStack() as held:
        pins = pin_inputs(small.store, small.product("plan"), held)
        pin = pins["shop.totals"]
        assert list(pins) == ["shop.totals"]
        assert (pin.port, pin.snapshot.version, pin.files) == ("shop.totals", first, pin.snapshot.files("totals"))
        assert pin.to_json() == {
            "version": first, "contract_version": "1.0.0", "files": pin.snapshot.port("totals")["files"],
        }  # fmt: skip
        second = small.publish("shop", force=True)
        assert pin.snapshot.version == first
        assert [(item.version, item.kept_because) for item in small.store.prune("shop", 1)] == [(first, "it is being read")]
    assert [(item.version, item.kept_because) for item in small.store.prune("shop", 1)] == [(first, None)]
    assert small.store.versions("shop") == [second]


def test_all_ports_of_a_provider_come_from_one_snapshot(small: SmallMesh) -> None:
    version = small.publish("shop")
    plan = small.product("plan")
    both = replace(plan, inputs=(*plan.inputs, InputPort("shop.sales", Version(1, 0, 0))))
    with ExitStack() as held:
        pins = pin_inputs(small.store, both, held)
    assert {name: pin.snapshot.version for name, pin in pins.items()} == {"shop.totals": version, "shop.sales": version}
    assert pins["shop.totals"].snapshot is pins["shop.sales"].snapshot


def test_a_provider_that_was_never_built_cannot_be_pinned(small: SmallMesh) -> None:
    with ExitStack() as held, pytest.raises(NotPublished, match="'shop' has no published snapshot yet; build it with `kit run"):
        pin_inputs(small.store, small.product("plan"), held)


@pytest.mark.parametrize(
    ("name", "version", "port", "says"),
    [
        ("shop.totals", "1.0.0", "totals", ""),
        ("shop.totals", "2.0.0", None, "has version 1.0.0; run `kit run shop` first"),
        ("shop.refunds", "1.0.0", None, "has no such port; run `kit run shop` first"),
    ],
)
def test_a_snapshot_serves_the_version_that_is_declared(
    small: SmallMesh, name: str, version: str, port: str | None, says: str
) -> None:
    small.publish("shop")
    snapshot, declared = small.store.current("shop"), Version.parse(version)
    assert snapshot is not None
    assert declared is not None
    item = InputPort(name, declared)
    if port is not None:
        assert serving_port(small.product("plan"), item, snapshot) == port
        return
    with pytest.raises(NotPublished) as error:
        serving_port(small.product("plan"), item, snapshot)
    assert str(error.value) == f"'plan' reads {name} {version}, but the current snapshot of 'shop' {says}"


def test_the_old_version_is_served_by_the_port_that_keeps_it(small: SmallMesh) -> None:
    small.two_majors()
    small.publish("shop")
    with ExitStack() as held:
        pins = pin_inputs(small.store, small.product("plan"), held)
    assert {name: pin.port for name, pin in pins.items()} == {"shop.totals": "shop.totals_v1"}
