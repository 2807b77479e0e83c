"""`cai constitution release`: from a draft to a version that never changes again."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cai.constitution.release import Released

__all__ = ["Raise", "release"]


class Raise(StrEnum):
    """Which number of the version is raised."""

    auto = "auto"
    patch = "patch"
    minor = "minor"
    major = "major"


def release(
    file: Annotated[
        Path,
        typer.Argument(
            help="A draft, by convention constitution/NAME/draft.yaml; or NAME/VERSION.yaml that "
            "was made by hand, which is recorded as it is."
        ),
    ],
    bump: Annotated[
        Raise,
        typer.Option(help="The number to raise: auto for the least that is enough, or more."),
    ] = Raise.auto,
    note: Annotated[
        list[str] | None,
        typer.Option(help="A sentence for the changelog. Can be given several times."),
    ] = None,
    date: Annotated[
        str, typer.Option(metavar="YYYY-MM-DD", help="Day of the release.", show_default="today")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be released, and write nothing.")
    ] = False,
    into: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the versions, named like the constitution.",
            show_default="that of the draft",
        ),
    ] = None,
) -> None:
    """Release a draft as a new version: VERSION.yaml beside it, recorded in releases.yaml.

    The draft is compared with the highest version, and raises it at least by what it changes:

    - major: a principle removed or renamed; a tag, a proposition or one of critique, revise and
    judge taken away; another applies_to, order of priorities or aggregate; the sign of a
    proposition turned; texts of a rubric at other scores; better and worse of an example swapped.

    - minor: a principle, tag, proposition, level of a rubric, or one of critique, revise and judge
    added; a level removed; another weight.

    - patch: other words for the same, further examples, notes, and where a principle comes from.

    Whether other words mean the same only you know: raise the bump when they do not. Below 1.0.0
    minor is enough for everything. The first version is 1.0.0, or the draft's own from 0.1.0 on.
    Later ones are the draft's own, too, where it raises the newest release enough.

    Parents and families are pinned: in the new file, extends names exact versions and include
    names ids. Nothing is released while lint finds errors, or when an older version has changed.

    Example: cai constitution release constitution/my-rules/draft.yaml --note "Shorter questions."
    """
    from cai.constitution.release import release as release_file

    done = release_file(
        file, bump=bump.value, notes=note or (), date=date, into=into, dry_run=dry_run
    )
    _print(done)


def _print(done: Released) -> None:
    from cai.cli.output import plain
    from cai.constitution.release import fact_lines

    came = (
        f"{done.before} → {done.version}" if done.before else f"{done.version}, the first version"
    )
    step = f" ({done.step})" if done.before else ""
    typer.echo(plain(f"{done.path.resolve().parent.name} {came}{step}"))
    if done.remark:
        typer.echo(plain(done.remark))
    for line in fact_lines(done.facts):
        typer.echo(plain(line))
    ends = {
        "written": "Wrote {path} and recorded it in releases.yaml, hash {hash}.",
        "recorded": "Recorded {path} as it is in releases.yaml, hash {hash}.",
        "completed": "{path} was there from a release that was interrupted. Recorded it in "
        "releases.yaml, hash {hash}.",
        "nothing": "Nothing was written. Without --dry-run it would be {path}, hash {hash}.",
    }
    typer.echo(plain(ends[done.done].format(path=done.path, hash=done.hash[:12])))
