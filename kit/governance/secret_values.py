"""Secrets that are written into the files and notebooks of a domain."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from kit.contracts import Finding
from kit.core import MAX_BYTES, Config, KitError, find_secrets, read_json

_SUFFIXES = {".py", ".sql", ".ipynb", ".yaml", ".yml", ".json", ".toml", ".cfg", ".ini", ".env", ".sh", ".md", ".txt"}
_FIX = (
    'read it from the environment, as os.environ["API_TOKEN"], and revoke it if it was committed; '
    "if it is none, write the comment `pragma: allowlist secret` in that line"
)


def check_secrets(config: Config, product: str, paths: Iterable[Path]) -> Iterator[Finding]:
    """Find texts that look like secrets, in notebooks with their cell; files that cannot be read hold none."""
    texts = [(path, cell, text) for path in paths for cell, text in _texts(path)]
    if not texts:
        return  # the rules take longer to import than a check of unchanged products
    for (path, cell, _), found in zip(texts, find_secrets((text for *_, text in texts), config.secrets), strict=True):
        for secret in found:
            message = f"holds a secret: the line {secret.kind}"
            yield Finding(product, path, secret.line, message, _FIX, cell=cell)


def text_files(folder: Path) -> list[Path]:
    """Return the files of a domain that people write as text, without hidden ones."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in _SUFFIXES
        and not any(part.startswith((".", "__pycache__")) for part in path.relative_to(folder).parts)
        and path.is_file()
        and path.stat().st_size <= MAX_BYTES
    )


def _texts(path: Path) -> Iterator[tuple[int | None, str]]:
    """Yield the text of a file, of a notebook that of each cell with its number."""
    if path.suffix != ".ipynb":
        try:
            yield None, path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return
        return
    try:
        for number, cell in enumerate(read_json(path)["cells"], 1):
            yield number, "".join(cell["source"])
    except (KitError, KeyError, TypeError):  # a finding of the check of notebooks
        return
