"""Where the raw data of this product comes from."""


def tea_receipts():
    """The receipts as the till writes them: a path, here from this folder, or a polars frame."""
    return "data/tea_receipts.csv"
