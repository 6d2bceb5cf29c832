"""Confirmation of snapshots across products: a product is confirmed by its own builds, as far as its providers answer."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from kit.storage.summary import ProductSummary


def across(summaries: Iterable[ProductSummary]) -> tuple[ProductSummary, ...]:
    """Return the summaries with the confirmation, delivery and outdated inputs that follow from those of their providers.

    A build that finds the snapshot of a provider unchanged confirms nothing while the provider's own builds fail, its folder
    is broken, or it was rolled back. The data of a product without a source is as old as the oldest of its providers. An
    input that is not published now counts as unchanged.
    """
    known = {summary.name: summary for summary in summaries}
    contents = {f"{item.name}.{port.name}": port.content for item in known.values() for port in item.ports if port.content}
    done: dict[str, ProductSummary] = {}
    return tuple(
        replace(
            _derived(summary, known, done),
            outdated_inputs=tuple(
                sorted(name for name, content in summary.inputs.items() if content and contents.get(name, content) != content)
            ),
        )
        for summary in known.values()
    )


def _derived(summary: ProductSummary, known: Mapping[str, ProductSummary], done: dict[str, ProductSummary]) -> ProductSummary:
    if summary.name not in done:
        done[summary.name] = summary  # ends the recursion where snapshots of renamed products read each other
        providers = [_derived(known[name], known, done) for name in summary.providers if name in known]
        doubtful = [item for item in providers if item.note or item.broken or item.rolled_back or item.unconfirmed]
        times = [item.confirmed_at for item in (summary, *doubtful) if item.confirmed_at]
        delivered = [time for item in providers if (time := item.delivered_at)]
        done[summary.name] = replace(
            summary,
            confirmed_at=min(times) if summary.confirmed_at else None,
            unconfirmed=tuple(item.name for item in doubtful),
            delivered_at=_oldest([*summary.delivered.values(), *([] if summary.delivered else delivered)]),
        )
    return done[summary.name]


def _oldest(times: Iterable[datetime]) -> datetime | None:
    return min(times, default=None)
