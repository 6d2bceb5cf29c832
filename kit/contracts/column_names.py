"""What the name of a column says about its values: an identifier, a measure, a text about something, a part of a date."""

_ID_WORDS = frozenset({
    "id", "ids", "key", "code", "uuid", "guid", "nr", "no", "num", "number", "sku", "isbn", "ean", "upc", "gtin", "iban",
    "vin", "ref", "reference", "hash", "pk", "slug", "barcode",
})  # fmt: skip
_NO_IDS = frozenset({
    "paid", "unpaid", "prepaid", "valid", "invalid", "void", "bid", "grid", "covid", "solid", "fluid", "liquid", "rapid",
    "acid", "avoid", "aid",
})  # fmt: skip
_AGGREGATES = frozenset({
    "n", "no", "nr", "num", "number", "count", "cnt", "total", "sum", "avg", "average", "mean", "median", "min", "max",
    "std", "stddev", "pct", "share",
})  # fmt: skip
_MEASURES = frozenset({
    "n", "count", "cnt", "total", "sum", "avg", "average", "mean", "median", "min", "max", "std", "stddev", "pct",
    "share", "counts", "totals", "amount", "amounts", "amt", "price", "prices", "cost", "costs", "value", "values", "qty",
    "quantity", "quantities", "rate", "rates", "ratio", "percent", "percentage", "score", "scores", "revenue", "sales",
    "turnover", "profit", "margin", "weight", "height", "length", "width", "depth", "size", "age", "duration", "seconds",
    "minutes", "hours", "days", "weeks", "months", "years", "distance", "balance", "discount", "tax", "fee", "fees",
    "rank", "volume", "temp", "temperature", "lat", "latitude", "lon", "lng", "longitude", "speed", "delay", "salary",
    "wage", "budget", "points", "rating", "ratings", "seats", "stock", "units", "pieces", "visits", "orders", "customers",
    "users", "rows", "lines", "items", "clicks", "views",
})  # fmt: skip
_SIGNED = frozenset({
    "temp", "temperature", "lat", "latitude", "lon", "lng", "longitude", "delay", "diff", "difference", "delta", "change",
    "balance", "profit", "margin", "offset", "growth", "deviation", "error", "residual", "net", "adjustment", "variance",
    "altitude", "elevation", "x", "y", "z", "score",
})  # fmt: skip
_TEXTS = frozenset({
    "name", "names", "title", "description", "desc", "comment", "comments", "note", "notes", "text", "address", "street",
    "label", "message", "remark", "remarks", "email", "mail", "phone", "url",
})  # fmt: skip
_DATE_PARTS = frozenset({
    "year", "quarter", "month", "week", "day", "hour", "weekday",
})  # fmt: skip
_ID_ENDINGS = ("id", "uuid", "guid", "num", "nr", "code", "sku")


def is_identifier(name: str) -> bool:
    """Return whether a column is named as one that identifies something: `id`, `order_id`, `sku`, `tailnum`."""
    words = name.split("_")
    last = words[-1]
    if is_measure(name) or last in _NO_IDS:
        return False
    return last in _ID_WORDS or words[0] in ("id", "pk") or (len(last) > 4 and last.endswith(_ID_ENDINGS))


def is_measure(name: str) -> bool:
    """Return whether a column is named as a number that was counted, measured or computed: `n`, `n_orders`, `amount`."""
    words = name.split("_")
    aggregated = words[1:] if words[0] in _AGGREGATES else []
    # `sum_id` identifies a sum, `max_order_id` is the largest of several.
    return words[-1] in _MEASURES or bool(aggregated and (len(aggregated) > 1 or aggregated[0] not in _ID_WORDS))


def is_signed(name: str) -> bool:
    """Return whether a column is named as a measure that may be below zero, such as a temperature or a delay."""
    return not _SIGNED.isdisjoint(name.split("_"))


def is_text(name: str) -> bool:
    """Return whether a column is named as a text about something, which identifies nothing: `name`, `note`, `email`."""
    return name.split("_")[-1] in _TEXTS


def is_date_part(name: str) -> bool:
    """Return whether a column is named as a part of a date: `year`, `order_month`."""
    return name.split("_")[-1] in _DATE_PARTS
