"""What the commands about constitutions share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Ref", "plain_console"]

Ref = Annotated[
    str,
    typer.Argument(
        metavar="NAME[@VERSION]|FILE",
        help="A name (its highest version), a name with a version, a range such as ^1.2 or a hash "
        "(sha256:…), or a YAML file of your own.",
    ),
]


def plain_console() -> Console:
    """A console that leaves numbers and paths uncoloured."""
    from rich.console import Console

    return Console(highlight=False)
