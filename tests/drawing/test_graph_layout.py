import random
from itertools import combinations

import pytest

from kit.core.errors import KitError
from kit.drawing.graph_layout import Box, Layout, layout


def lay(groups: dict[str, str], edges: list[tuple[str, str]]) -> Layout:
    return layout(groups, dict.fromkeys(groups, 100.0), 30.0, edges)


def made_up(size: int, seed: int) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """A graph without circles: groups of ten, most edges inside a group."""
    dice = random.Random(seed)
    groups = {f"n{i}": f"g{i // 10}" for i in range(size)}
    edges = []
    for target in range(1, size):
        for _ in range(dice.choice([0, 1, 1, 2])):
            first = target // 10 * 10 if dice.random() < 0.8 else 0  # in its group or anywhere before
            edges += [(f"n{dice.randrange(first, target)}", f"n{target}")] if first < target else []
    return groups, edges


def scattered(size: int, seed: int) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """A graph without circles whose groups are no parts of it."""
    dice = random.Random(seed)
    groups = {f"n{i}": f"g{dice.randrange(5)}" for i in range(size)}
    pairs = [sorted(dice.sample(range(size), 2)) for _ in range(2 * size)]
    return groups, sorted({(f"n{source}", f"n{target}") for source, target in pairs})


def overlap(a: Box, b: Box) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


def test_a_chain_is_level_and_framed_by_its_groups() -> None:
    found = lay({"a": "one", "b": "one", "c": "two"}, [("a", "b"), ("b", "c")])
    assert found.boxes == {"a": Box(15, 32, 100, 30), "b": Box(171, 32, 100, 30), "c": Box(327, 32, 100, 30)}
    assert found.frames == {"one": Box(0, 0, 286, 77), "two": Box(312, 0, 130, 77)}
    assert found.routes == {("a", "b"): [(115, 47), (171, 47)], ("b", "c"): [(271, 47), (327, 47)]}
    assert (found.width, found.height) == (442, 77)


def test_columns_are_as_wide_as_their_widest_box() -> None:
    found = layout({"a": "one", "b": "one", "c": "one"}, {"a": 60, "b": 90, "c": 50}, 30, [("a", "c"), ("b", "c")])
    assert [(box.x, box.width) for box in found.boxes.values()] == [(15, 90), (15, 90), (161, 50)]


def test_a_long_edge_goes_around_the_boxes_between() -> None:
    found = lay({"a": "one", "b": "one", "c": "one"}, [("a", "b"), ("b", "c"), ("a", "c")])
    start, enter, leave, end = found.routes["a", "c"]
    assert (start[0], enter[0], leave[0], end[0]) == (115, 171, 271, 327)
    assert enter[1] == leave[1] not in (start[1], end[1])
    assert not 32 <= enter[1] <= 32 + 30


def test_inputs_stand_beside_what_reads_them_and_products_at_the_right() -> None:
    edges = [("raw", "staged"), ("staged", "port"), ("far", "port"), ("0", "1"), ("1", "far"), ("staged", "side")]
    found = lay({"raw": "g", "staged": "g", "port": "g", "side": "g", "0": "h", "1": "h", "far": "h", "alone": "g"}, edges)
    column = {name: (box.x - 15) / 156 for name, box in found.boxes.items()}
    assert column == {"raw": 1, "staged": 2, "port": 3, "side": 3, "alone": 3, "0": 0, "1": 1, "far": 2}


def test_a_circle_is_named() -> None:
    with pytest.raises(KitError, match="the edges form a circle: a → b → c → a; remove one"):
        lay(dict.fromkeys("abcd", "g"), [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")])
    with pytest.raises(KitError, match="the edges form a circle: a → a; remove one"):
        lay({"a": "g"}, [("a", "a")])


def test_groups_may_read_each_other_both_ways() -> None:
    found = lay({"a": "one", "b": "two", "c": "one"}, [("a", "b"), ("b", "c")])
    assert not overlap(found.frames["one"], found.frames["two"])


@pytest.mark.parametrize(
    "graph", [made_up(45, 1), made_up(45, 2), made_up(300, 3), *(scattered(size, size) for size in range(2, 30))]
)
def test_nothing_lies_on_anything_else(graph: tuple[dict[str, str], list[tuple[str, str]]]) -> None:
    groups, edges = graph
    found = lay(groups, edges)
    assert found.boxes.keys() == groups.keys()
    assert found.routes.keys() == set(edges)
    assert [pair for pair in combinations(found.boxes, 2) if overlap(found.boxes[pair[0]], found.boxes[pair[1]])] == []
    assert [pair for pair in combinations(found.frames, 2) if overlap(found.frames[pair[0]], found.frames[pair[1]])] == []
    for node, box in found.boxes.items():
        frame = found.frames[groups[node]]
        assert frame.x < box.x
        assert frame.y < box.y
        assert box.x + box.width < frame.x + frame.width <= found.width + 1e-6
        assert box.y + box.height < frame.y + frame.height <= found.height + 1e-6
    for points in found.routes.values():
        for (x, y), (end, level) in zip(points[1:-1:2], points[2:-1:2], strict=True):
            assert y == level
            assert not any(overlap(Box(x, y, end - x, 0), box) for box in found.boxes.values())


def test_the_order_of_edges_and_hash_seed_do_not_matter() -> None:
    groups, edges = made_up(30, 7)
    assert lay(groups, edges) == lay(groups, [*reversed(edges), *edges])
