"""`cai review`: a web page where people compare answers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cai.validation.records import Item
    from cai.validation.review.run import Review

__all__ = ["review"]

_PAGES = (("Sign in", "/"), ("Dashboard", "/dashboard"))


class Kind(StrEnum):
    """Who labels."""

    human = "human"
    simulated = "simulated"
    model = "model"


def review(
    run: Annotated[Path, typer.Argument(help="The folder of a run that has a sampling plan.")],
    host: Annotated[
        str, typer.Option(help="Address to listen at; this machine alone unless changed.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen at; 0 takes any that is free.")
    ] = 8765,
    kind: Annotated[
        Kind, typer.Option(help="Who signs in. Only the labels of people, human, validate a run.")
    ] = Kind.human,
    annotator: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Print a personal link; may be repeated."),
    ] = None,
    adjudicator: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Who settles disputes; may be repeated."),
    ] = None,
    practice: Annotated[
        str, typer.Option(metavar="FILE|none", help="Another practice round, or none.")
    ] = "",
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = False,
) -> None:
    """Serve a page on which people label the pairs of a run's sampling plan, until Ctrl-C.

    Every label is on disk before the page says so. Start it again to go on: links stay the same.

    Example: cai review runs/default --annotator Ada --annotator Grace --adjudicator Alan
    """
    _need_packages()
    from cai.store import RunStore
    from cai.validation.review.run import Review
    from cai.validation.review.security import is_loopback
    from cai.validation.review.server import address, listen, serve

    RunStore.read(run).close()  # opening to write would create a run that is not there
    items = _practice(practice)
    with RunStore.open(run) as store, listen(host, port) as listening:
        reviewed = Review(
            store,
            kind=kind.value,
            adjudicators=adjudicator or (),
            practice=items,
            open_to_all=is_loopback(host),
        )
        url = address(host, listening)

        def ready() -> None:
            _say(reviewed, url, annotator or [])
            if open_page:
                import webbrowser

                webbrowser.open(_address(reviewed, f"{url}/"))

        serve(reviewed, host, listening, ready)
    typer.echo("Stopped. All labels are stored.")


def _need_packages() -> None:
    from importlib.util import find_spec

    from cai.errors import MissingExtraError

    if not (find_spec("starlette") and find_spec("uvicorn")):
        raise MissingExtraError("The review page", "review")


def _practice(given: str) -> tuple[Item, ...]:
    from cai.validation.review.practice import packaged_practice, read_practice

    if given == "none":
        return ()
    return read_practice(Path(given) if given else packaged_practice())


def _address(review: Review, url: str) -> str:
    """Of a page, with the token where one is needed."""
    return url if review.open_to_all else f"{url}?token={review.keys.token}"


def _say(review: Review, url: str, names: list[str]) -> None:
    """Print where the pages are, and the personal links."""
    from cai.cli.tables import print_heading, print_text

    guideline = f"{review.constitution['name']}@{review.constitution['version']}"
    print_heading(f"Review of {len(review.originals):,} pairs under {guideline}")
    lines = [(what, _address(review, url + path)) for what, path in _PAGES]
    people = [review.labels.add_annotator(name, review.kind) for name in names]
    people += [a for a in review.peers() if review.is_adjudicator(a) and a not in people]
    for person in people:
        what = f"{person.name} (adjudicator)" if review.is_adjudicator(person) else person.name
        lines.append((what, f"{url}/a/{review.keys.link(person)}"))
    width = max(len(what) for what, _ in lines)
    for what, where in lines:
        print_text(f"{what.ljust(width)}  {where}", indent=2)
    if not review.open_to_all:
        print_text(
            "What is sent over the network can be read on its way. For more than a trusted "
            "network, listen at 127.0.0.1 and use an SSH tunnel."
        )
    print_text("Ctrl-C stops the server.")
