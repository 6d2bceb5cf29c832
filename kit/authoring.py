"""The commands for who writes products and contracts; `kit.cli` has those that run them."""

import typer

app = typer.Typer()
