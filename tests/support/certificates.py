"""Certificate authorities of a test, and certificates that they sign, made by the program `openssl`."""

import subprocess
from pathlib import Path

from tests.support.limits import HANG

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def authority(folder: Path, name: str) -> None:
    """Make an authority: `NAME.crt` and `NAME.key`."""
    _openssl(
        folder, "req", "-x509", *_KEY, "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt"
    )


def certificate(folder: Path, signer: str, name: str, subject: str) -> None:
    """Make a certificate of a host or user, signed by an authority: `NAME.crt`, and `NAME.key` for its owner alone."""
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"subjectAltName = DNS:{subject}\n")
    _openssl(folder, "req", *_KEY, "-subj", f"/CN={subject}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
    _openssl(
        folder, "x509", "-req", "-days", "2", "-in", f"{name}.csr", "-CA", f"{signer}.crt", "-CAkey", f"{signer}.key",
        "-CAcreateserial", "-extfile", extensions.name, "-out", f"{name}.crt",
    )  # fmt: skip
    (folder / f"{name}.key").chmod(0o600)


def encrypt_key(folder: Path, name: str, target: str, password: str) -> None:
    """Write the key of a certificate once more, encrypted."""
    _openssl(folder, "ec", "-in", f"{name}.key", "-aes256", "-passout", f"pass:{password}", "-out", f"{target}.key")
    (folder / f"{target}.key").chmod(0o600)


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, timeout=HANG, check=True)
