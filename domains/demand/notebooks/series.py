"""The daily series of sales that models are fitted to and applied to."""

import polars as pl


def daily_series(sales: pl.DataFrame) -> pl.DataFrame:
    """One row per department and calendar day, from the department's first sale to the last day of the data."""
    day = pl.col("business_date")
    open_days = sales.select("business_date").unique().with_columns(is_open=True)
    calendar = sales.select(pl.date_range(day.min(), day.max())).join(open_days, on="business_date", how="left")
    departments = (
        sales.filter(pl.col("sales_value") > 0).group_by("department").agg(first_sale=day.min(), selling_days=day.n_unique())
    )
    return (
        departments.join(calendar, how="cross")
        .filter(day >= pl.col("first_sale"))
        .join(sales.select("department", "business_date", "sales_value"), on=["department", "business_date"], how="left")
        .select(
            "department",
            "business_date",
            "selling_days",
            pl.col("is_open").fill_null(False),
            pl.when("is_open").then(pl.col("sales_value").cast(pl.Float64).fill_null(0.0)).alias("value"),
        )
        .sort("department", "business_date")
        .with_columns(pl.col("value").forward_fill().over("department", day.dt.weekday()))
    )
