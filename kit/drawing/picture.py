"""Pictures that notebooks, pages and files can show."""

import re
from base64 import b64encode
from dataclasses import dataclass
from html import escape
from pathlib import Path

from kit.core import KitError


@dataclass(frozen=True, repr=False)
class Picture:
    """An SVG document with `alt`, a sentence that describes it for screen readers."""

    svg: str
    alt: str

    @property
    def uri(self) -> str:
        """The `src` of an `<img>`, which is shown in every notebook, even one that is not trusted."""
        return f"data:image/svg+xml;base64,{b64encode(self.svg.encode()).decode()}"

    @property
    def width(self) -> float:
        """The width in pixels in which its texts have their size."""
        match = re.search(r'<svg[^>]* width="([\d.]+)"', self.svg)
        return float(match[1]) if match else 0.0

    def save(self, path: Path | str) -> Path:
        """Write the picture to an `.svg` file and return its path; raises `KitError` when it cannot be written."""
        file = Path(path)
        if file.suffix != ".svg":
            raise KitError(f"'{path}' does not end in .svg; pictures are saved as SVG: write {file.stem or 'picture'}.svg")
        try:
            file.write_text(self.svg, encoding="utf-8")
        except OSError as error:
            raise KitError(f"cannot write {path}: {error.strerror}; name a folder that exists and is writable") from None
        return file

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"

    def _repr_html_(self) -> str:
        return f'<img src="{self.uri}" alt="{escape(self.alt)}" style="max-width:100%">'
