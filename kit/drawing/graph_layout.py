"""Positions of the boxes and edges of a layered graph: left to right, with the boxes of one group in one frame."""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import accumulate, cycle, islice, pairwise
from statistics import median

from kit.core import KitError

COLUMN_GAP, ROW_GAP, BAND_GAP = 56.0, 12.0, 20.0
LANE = 14.0
FRAME, FRAME_TOP = 15.0, 32.0
_SWEEPS = 10
_TRIALS = 8_000
# The cost of one crossing, as pixels of vertical distance.
_CROSSING = 40.0

Slot = tuple[str, int]
"""A place in a column: a node in its layer, or a bundle of edges from one node where it passes a later layer."""


@dataclass(frozen=True)
class Box:
    """A rectangle: upper left corner and size, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """Boxes of nodes, frames of groups, and edges as lists of points, of which every second pair has the same height."""

    boxes: dict[str, Box]
    frames: dict[str, Box]
    routes: dict[tuple[str, str], list[tuple[float, float]]]
    width: float
    height: float


def layout(groups: Mapping[str, str], widths: Mapping[str, float], height: float, edges: Iterable[tuple[str, str]]) -> Layout:
    """Place nodes (id to group, id to width; all of one height). Raises `KitError` when the edges form a circle."""
    edges = list(dict.fromkeys(edges))
    if not groups:
        return Layout({}, {}, {}, 0.0, 0.0)
    return _Arrangement(groups, edges, _layers(groups, edges), height).layout(widths)


def _layers(groups: Mapping[str, str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Return columns by longest path; each node is then moved right as far as its readers and its group allow."""
    sources: dict[str, list[str]] = {node: [] for node in groups}
    targets: dict[str, list[str]] = {node: [] for node in groups}
    for source, target in edges:
        sources[target].append(source)
        targets[source].append(target)
    try:
        order = list(TopologicalSorter(sources).static_order())
    except CycleError as error:
        raise KitError(f"the edges form a circle: {' → '.join(error.args[1])}; remove one of them") from None
    layer: dict[str, int] = {}
    for node in order:
        layer[node] = max((layer[source] + 1 for source in sources[node]), default=0)
    last: dict[str, int] = {}
    for node, column in layer.items():
        last[groups[node]] = max(last.get(groups[node], 0), column)
    for node in reversed(order):
        if not targets[node]:
            layer[node] = last[groups[node]]
        elif any(groups[target] == groups[node] for target in targets[node]):
            layer[node] = min(layer[target] for target in targets[node]) - 1
    # Groups that only other groups read move next to their readers, as a whole and never beyond the last column.
    for group in sorted(last, key=lambda name: -last[name]):
        slack = [layer[t] - 1 - layer[s] for s, t in edges if groups[s] == group != groups[t]]
        for node in groups if slack else ():
            layer[node] += min(*slack, max(last.values()) - last[group]) if groups[node] == group else 0
    return layer


class _Arrangement:
    """Slots in columns and bands. A band is a group, or the lane for the edges of one node between two groups."""

    def __init__(
        self, groups: Mapping[str, str], edges: Sequence[tuple[str, str]], layer: Mapping[str, int], height: float
    ) -> None:
        self.layer, self.height = layer, height
        self.chains: dict[tuple[str, str], list[Slot]] = {}
        self.band: dict[Slot, tuple[str, str]] = {(node, layer[node]): (group, "") for node, group in groups.items()}
        columns: dict[str, tuple[int, int]] = {}
        for node, group in groups.items():
            first, last = columns.get(group, (layer[node], layer[node]))
            columns[group] = min(first, layer[node]), max(last, layer[node])
        for source, target in edges:
            chain = [(source, layer[source])]
            for column in range(layer[source] + 1, layer[target]):
                passed = next((g for g in (groups[source], groups[target]) if columns[g][0] <= column <= columns[g][1]), None)
                # Edges of one node share their slots until they separate for different groups.
                chain.append((source if passed in (None, groups[source]) else f"{source}\0{passed}", column))
                self.band[chain[-1]] = (passed, "") if passed else (groups[source], source)
            self.chains[source, target] = [*chain, (target, layer[target])]
        self.left: dict[Slot, list[Slot]] = defaultdict(list)
        self.right: dict[Slot, list[Slot]] = defaultdict(list)
        for before, after in sorted({pair for chain in self.chains.values() for pair in pairwise(chain)}):
            self.right[before].append(after)
            self.left[after].append(before)
        self.columns = range(max(layer.values()) + 1)
        self.bands: dict[tuple[str, str], dict[int, list[Slot]]] = {}
        for slot, band in self.band.items():
            self.bands.setdefault(band, {}).setdefault(slot[1], []).append(slot)
        self.neighbours = {
            band: [o for o, slots in self.bands.items() if o != band and min(slots) <= max(rows) and min(rows) <= max(slots)]
            for band, rows in self.bands.items()
        }
        self.joined: dict[tuple[str, str], list[tuple[Slot, Slot]]] = {band: [] for band in self.bands}
        for slot, band in self.band.items():
            self.joined[band] += [(slot, o) for o in self.left[slot] + self.right[slot] if self.band[o] != band]
        self.pairs = [[(a, b) for a, after in self.right.items() if a[1] == at for b in after] for at in self.columns]

    def layout(self, widths: Mapping[str, float]) -> Layout:
        """Return the best arrangement, in pixels."""
        y = self._arrange()
        wide = [max(widths[n] for n, column in self.layer.items() if column == at) for at in self.columns]
        left = list(accumulate((width + COLUMN_GAP for width in wide), initial=FRAME))
        boxes = {n: Box(left[at], y[n, at] - self.height / 2, wide[at], self.height) for n, at in self.layer.items()}
        frames = {}
        for band, (top, bottom) in self._extents(y).items():
            if not band[1]:
                first, last = min(self.bands[band]), max(self.bands[band])
                width = left[last] + wide[last] - left[first] + 2 * FRAME
                frames[band[0]] = Box(left[first] - FRAME, top, width, bottom - top)
        routes = {}
        for edge, chain in self.chains.items():
            points = [(left[at] + side, y[name, at]) for name, at in chain for side in (0, wide[at])]
            routes[edge] = points[1:-1]
        return Layout(boxes, frames, routes, left[-1] - COLUMN_GAP + FRAME, max(b for _, b in self._extents(y).values()))

    def _arrange(self) -> dict[Slot, float]:
        bands = list(self.bands)
        inner = self._heights_in_bands()
        best = self._stack(bands, inner)
        for _ in range(3):
            bands = self._order(bands, inner)
            y = self._stack(bands, inner)
            for sweep in range(_SWEEPS):
                self._sort(dict(y), rightwards=sweep % 2 == 0)
                inner = self._heights_in_bands()
                y = self._stack(bands, inner)
                best = min(best, y, key=self._cost)
            for slots in (slots for rows in self.bands.values() for slots in rows.values()):
                slots.sort(key=best.__getitem__)
            inner = self._heights_in_bands()
        return best

    def _sort(self, y: dict[Slot, float], rightwards: bool) -> None:
        """Order the slots of each band and column by the mean height of their neighbours on one side."""
        near = self.left if rightwards else self.right
        for column in self.columns if rightwards else reversed(self.columns):
            for rows in self.bands.values():
                slots = rows.get(column, [])
                heights = sorted(y[slot] for slot in slots)
                slots.sort(key=lambda slot: (_mean([y[other] for other in near[slot]], y[slot]), y[slot]))
                y.update(zip(slots, heights, strict=True))

    def _heights_in_bands(self) -> dict[Slot, float]:
        return {slot: y for band in self.bands for slot, y in self._heights_in_band(band).items()}

    def _heights_in_band(self, band: tuple[str, str]) -> dict[Slot, float]:
        """Return the heights of a band's slots below its top: in order, apart, and near those of their neighbours."""
        rows = self.bands[band]
        y = {
            slot: at for slots in rows.values() for slot, at in zip(slots, self._apart([0.0] * len(slots), slots), strict=True)
        }
        for sweep in range(_SWEEPS):
            near = self.right if sweep % 2 else self.left
            for column in sorted(rows, reverse=sweep % 2 == 1):
                wanted = [median([y[o] for o in near[slot] if o in y] or [y[slot]]) for slot in rows[column]]
                y.update(zip(rows[column], self._apart(wanted, rows[column]), strict=True))
        # Unconnected parts may have moved away: start at zero and close the empty strips.
        tops = {slot: at - self._size(slot) / 2 for slot, at in y.items()}
        shift = depth = min(tops.values())
        for slot in sorted(y, key=tops.__getitem__):
            shift += max(0.0, tops[slot] - depth - ROW_GAP)
            depth = max(depth, tops[slot] + self._size(slot))
            y[slot] -= shift
        return y

    def _apart(self, wanted: list[float], slots: list[Slot]) -> list[float]:
        """Return the heights nearest to `wanted` that keep the slots in order and apart (least squares, by pooling)."""
        sizes = [self._size(slot) for slot in slots]
        offsets = list(accumulate(((a + b) / 2 + ROW_GAP for a, b in pairwise(sizes)), initial=0.0))
        pools: list[tuple[float, int]] = []
        for want, offset in zip(wanted, offsets, strict=True):
            pool = (want - offset, 1)
            while pools and pools[-1][0] / pools[-1][1] > pool[0] / pool[1]:
                total, count = pools.pop()
                pool = (pool[0] + total, pool[1] + count)
            pools.append(pool)
        heights = [total / count for total, count in pools for _ in range(count)]
        return [at + offset for at, offset in zip(heights, offsets, strict=True)]

    def _size(self, slot: Slot) -> float:
        return self.height if self.layer.get(slot[0]) == slot[1] else LANE

    def _order(self, bands: list[tuple[str, str]], inner: Mapping[Slot, float]) -> list[tuple[str, str]]:
        """Return the order of bands, top to bottom; moves one band at a time while that lowers the cost."""
        best, least = bands, self._cost(self._stack(bands, inner))
        moves = [(band, at) for band in bands for at in range(len(bands))]
        unsuccessful = 0
        for band, at in islice(cycle(moves), _TRIALS // len(bands)):
            rest = [other for other in best if other != band]
            moved = [*rest[:at], band, *rest[at:]]
            cost = self._cost(self._stack(moved, inner))
            unsuccessful += 1
            if cost < least - 1e-6:
                best, least, unsuccessful = moved, cost, 0
            elif unsuccessful > len(moves):
                break
        return best

    def _stack(self, bands: list[tuple[str, str]], inner: Mapping[Slot, float]) -> dict[Slot, float]:
        """Return heights with bands below each other where they share columns, each then moved towards its neighbours."""
        depth = [0.0 for _ in self.columns]
        tops: dict[tuple[str, str], float] = {}
        sizes = {}
        for band in bands:
            rows = self.bands[band]
            sizes[band] = max(inner[c] + self._size(c) / 2 for slots in rows.values() for c in slots) + _margins(band)
            columns = range(min(rows), max(rows) + 1)
            tops[band] = max(depth[column] for column in columns)
            for column in columns:
                depth[column] = tops[band] + sizes[band] + BAND_GAP
        floor = max(depth) - BAND_GAP
        place = {band: index for index, band in enumerate(bands)}
        for sweep in range(4):
            for band in reversed(bands) if sweep % 2 == 0 else bands:
                neighbours, joined = self.neighbours[band], self.joined[band]
                least = max((tops[o] + sizes[o] + BAND_GAP for o in neighbours if place[o] < place[band]), default=0.0)
                most = min((tops[o] - BAND_GAP for o in neighbours if place[o] > place[band]), default=floor) - sizes[band]
                wanted = [tops[self.band[b]] + _top(self.band[b]) + inner[b] - _top(band) - inner[a] for a, b in joined]
                tops[band] = max(least, min(most, _mean(wanted, tops[band])))
        return {slot: tops[band] + _top(band) + inner[slot] for slot, band in self.band.items()}

    def _cost(self, y: Mapping[Slot, float]) -> float:
        """Return the vertical distance of all edges plus a cost for each crossing."""
        climb, crossings = 0.0, 0
        for column in self.pairs:
            pairs = sorted((y[a], y[b]) for a, b in column)
            climb += sum(abs(a - b) for a, b in pairs)
            ends: list[float] = []
            for _, end in pairs:
                crossings += len(ends) - bisect_right(ends, end)
                insort(ends, end)
        return climb + _CROSSING * crossings

    def _extents(self, y: Mapping[Slot, float]) -> dict[tuple[str, str], tuple[float, float]]:
        result = {}
        for band, rows in self.bands.items():
            slots = [slot for row in rows.values() for slot in row]
            top = min(y[slot] - self._size(slot) / 2 for slot in slots) - _top(band)
            bottom = max(y[slot] + self._size(slot) / 2 for slot in slots) + _margins(band) - _top(band)
            result[band] = top, bottom
        return result


def _top(band: tuple[str, str]) -> float:
    return 0.0 if band[1] else FRAME_TOP


def _margins(band: tuple[str, str]) -> float:
    return 0.0 if band[1] else FRAME_TOP + FRAME


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default
