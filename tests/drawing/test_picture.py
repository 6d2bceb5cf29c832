import base64
import re
from pathlib import Path

import pytest

from kit.core.errors import KitError
from kit.drawing.picture import Picture

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><text>→</text></svg>'


def test_a_notebook_shows_it_as_an_image_that_needs_no_trust() -> None:
    html = Picture(SVG, 'a "sale" <b>')._repr_html_()
    found = re.fullmatch(r'<img src="data:image/svg\+xml;base64,([\w+/=]+)" alt="([^"]*)" style="max-width:100%">', html)
    assert found
    assert base64.b64decode(found[1]).decode() == SVG
    assert found[2] == "a &quot;sale&quot; &lt;b&gt;"
    assert repr(Picture(SVG, "two sales")) == "<Picture: two sales>"


def test_it_is_saved_as_svg_only(tmp_path: Path) -> None:
    path = tmp_path / "sale.svg"
    assert Picture(SVG, "a sale").save(str(path)) == path
    assert path.read_text(encoding="utf-8") == SVG
    with pytest.raises(KitError, match=r"'sale.png' does not end in .svg; pictures are saved as SVG: write sale\.svg"):
        Picture(SVG, "a sale").save("sale.png")
    with pytest.raises(KitError, match=r"nowhere/sale\.svg: No such file or directory; name a folder that exists"):
        Picture(SVG, "a sale").save(tmp_path / "nowhere/sale.svg")
