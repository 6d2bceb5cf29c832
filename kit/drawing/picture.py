"""A picture that any notebook, page or file can show."""

from base64 import b64encode
from dataclasses import dataclass
from html import escape
from pathlib import Path

from kit.core import KitError


@dataclass(frozen=True, repr=False)
class Picture:
    """An SVG document, and `alt`: what it shows, in a sentence for who cannot see it."""

    svg: str
    alt: str

    @property
    def uri(self) -> str:
        """The `src` of an `<img>`, the form that is shown in any notebook, also one that is not trusted."""
        return f"data:image/svg+xml;base64,{b64encode(self.svg.encode()).decode()}"

    def save(self, path: Path | str) -> Path:
        """Write it to an `.svg` file, whose path is returned; raises `KitError` when that cannot be done."""
        file = Path(path)
        if file.suffix != ".svg":
            raise KitError(f"'{path}' is no name for this picture; a picture is saved as SVG, so write {file.stem or 'it'}.svg")
        try:
            file.write_text(self.svg, encoding="utf-8")
        except OSError as error:
            raise KitError(
                f"cannot write {path}: {error.strerror}; name a folder that is there and may be written to"
            ) from None
        return file

    def __repr__(self) -> str:
        return f"<Picture: {self.alt}>"

    def _repr_html_(self) -> str:
        return f'<img src="{self.uri}" alt="{escape(self.alt)}" style="max-width:100%">'
