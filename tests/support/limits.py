"""How long a test waits for what never comes."""

HANG = 600.0
"""Seconds: more than anything takes on a machine that is busy with other work. Only a fault lasts as long."""
