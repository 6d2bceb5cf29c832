"""Dagster: definitions, assets, checks, automation, the instance and the servers. Heavy: import its modules by name.

A mesh goes in; a Dagster code location and recorded runs come out.
"""
