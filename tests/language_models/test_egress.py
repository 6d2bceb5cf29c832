from pathlib import Path

from kit.contracts import ModelEndpoints
from kit.core import ModelSettings
from kit.language_models.egress import SentPort, refusal

A = "https://a.example.com/v1"
MODEL = ModelSettings("acme", A, "m")


def test_every_port_must_allow_the_endpoint() -> None:
    allowed, other = SentPort("shop.totals", ModelEndpoints((A,))), SentPort("shop.sales", ModelEndpoints())
    assert refusal(MODEL, []) == ""
    assert refusal(MODEL, [allowed]) == ""
    assert refusal(MODEL, [allowed, other]).startswith(f"the contract of 'shop.sales' does not allow {A}; its owner decides")


def test_rows_of_a_partition_and_unknown_contracts() -> None:
    endpoints = ModelEndpoints(by_key={"north": (A,)})
    assert refusal(MODEL, [SentPort("shop.totals", endpoints, "north")]) == ""
    assert f"does not allow {A} for 'south'" in refusal(MODEL, [SentPort("shop.totals", endpoints, "south")])
    assert refusal(MODEL, [SentPort("shop.gone", None)]) == f"'shop.gone' has no contract that allows {A}"
    masked = SentPort("shop.totals", ModelEndpoints((A,)), None, ("email",))
    assert refusal(MODEL, [masked]).startswith("'shop.totals' is read before its masks apply to email")


def test_committed_answers_send_nothing() -> None:
    assert refusal(ModelSettings("demo", answers=Path("a.json")), [SentPort("shop.gone", None)]) == ""
