"""The version of the kit, part of every snapshot's fingerprint."""

__version__ = "0.1.0"
