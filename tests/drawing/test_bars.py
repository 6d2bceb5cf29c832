import re

from kit.drawing import markup
from kit.drawing.bars import bar_chart, horizontal_bar, verdict_squares


def test_a_bar_chart_has_a_visible_bar_for_every_count_above_zero() -> None:
    picture = bar_chart([0, 1, 100], "3 bars")
    heights = re.findall(r'<rect [^>]*height="([\d.]+)"', picture.svg)
    assert heights == ["1", "0.00", "1.50", "36.00"]  # the base line, then the bars
    assert markup.image(picture) == f'<img src="{picture.uri}" alt="3 bars" style="max-width:100%">'
    assert re.findall(r'<rect [^>]*height="([\d.]+)"', bar_chart([0], "empty").svg) == ["1", "0.00"]


def test_a_horizontal_bar_has_the_share_of_sixty_pixels() -> None:
    assert [re.findall(r'<rect y="2" width="([\d.]+)"', horizontal_bar(share).svg) for share in (0.0, 0.5, 1.0)] == [
        ["1.0"], ["30.0"], ["60.0"],
    ]  # fmt: skip


def test_verdicts_differ_in_shape_as_well_as_colour() -> None:
    picture = verdict_squares(["passed", "failed", "", "warned"])
    assert picture.alt == "passed, failed, not reached, warned"
    assert re.findall(r"<(rect|path|circle)", picture.svg) == ["rect", "rect", "path", "circle", "rect"]
    assert 'width="60"' in picture.svg
