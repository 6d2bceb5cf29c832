import random
from datetime import UTC, datetime

import pytest

from kit.mesh.schedule import is_cron, last_time


@pytest.mark.parametrize(
    "line",
    [
        "* * * * *", "0 0 1 1 0", "59 23 31 12 7", "0 6 * * *", "*/5 * * * *", "0-30/10 8-18 * * 1-5", "0,15,30,45 * * * *",
        "5/15 * * * *", "*/59 */23 */31 */12 */7", "0 0 29 2 *", "1-1 * * * *", "0 6 * * 5-7",
    ],
)  # fmt: skip
def test_a_cron_line(line: str) -> None:
    assert is_cron(line)


@pytest.mark.parametrize(
    "line",
    [
        "", " ", "0", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *",
        "* * * 13 *", "* * * * 8", "-1 * * * *", "30-10 * * * *", "*/0 * * * *", "5/0 * * * *", "*/60 * * * *",
        "0-30/60 * * * *", "0,, * * * *", ",0 * * * *", "* * * JAN *", "* * * * MON", "@daily", "0 6 * *  *", " 0 6 * * *",
        "0 6 * * * ", "0 6 * * *\n", "0\t6 * * *", "1.5 * * * *", "*-5 * * * *", "0 6 L * *", "0 6 ? * *", "0 0 30 2 *",
        "0 0 31 2,4,6 *", "\u0661 * * * *", "999999999999 * * * *", "000 * * * *",
    ],
)  # fmt: skip
def test_no_cron_line(line: str) -> None:
    assert not is_cron(line)


def test_dagster_accepts_whatever_is_accepted() -> None:
    from dagster._utils.schedules import is_valid_cron_string

    chance = random.Random(1)

    def part() -> str:
        first, last, step = (str(chance.choice((0, 1, 2, 5, 7, 12, 23, 28, 31, 59, 60))) for _ in range(3))
        return chance.choice(
            ("*", "*", "*", first, f"{first}-{last}", f"*/{step}", f"{first}/{step}", f"{first}-{last}/{step}")
        )

    lines = {" ".join(",".join(part() for _ in range(chance.choice((1, 1, 1, 2)))) for _ in range(5)) for _ in range(8000)}
    accepted = [line for line in lines if is_cron(line)]
    assert len(accepted) > 300
    assert [line for line in accepted if not is_valid_cron_string(line)] == []


@pytest.mark.parametrize(
    ("line", "last"),
    [
        ("0 6 * * *", "2024-05-15 06:00"), ("30 14 * * *", "2024-05-14 14:30"), ("*/5 * * * *", "2024-05-15 10:15"),
        ("0 0 1 * *", "2024-05-01 00:00"), ("0 6 * * 1", "2024-05-13 06:00"), ("0 6 * * 0", "2024-05-12 06:00"),
        ("0 6 * * 7", "2024-05-12 06:00"), ("0 6 1 * 1", "2024-05-13 06:00"), ("0 0 29 2 *", "2024-02-29 00:00"),
        ("17 10 15 5 *", "2024-05-15 10:17"), ("0 6 */2 * 1", "2024-05-13 06:00"),
    ],
)  # fmt: skip
def test_the_last_time_of_a_cron_line(line: str, last: str) -> None:
    moment = datetime(2024, 5, 15, 10, 17, 30, tzinfo=UTC)
    assert last_time(line, moment) == datetime.fromisoformat(last).replace(tzinfo=UTC)


def test_the_last_time_agrees_with_dagster() -> None:
    from dagster._utils.schedules import reverse_cron_string_iterator

    moment = datetime(2024, 5, 15, 10, 17, 30, tzinfo=UTC)
    for line in ("0 6 * * 1-5", "5/15 3 * * *", "0 0 10,20 3 *", "0 12 13 * 5", "0 0 31 12 *"):
        ticks = reverse_cron_string_iterator(moment.timestamp(), line, "UTC")
        assert last_time(line, moment) == next(tick for tick in ticks if tick <= moment), line
