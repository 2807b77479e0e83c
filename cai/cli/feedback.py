"""`cai feedback`: thumbs, edits and reports of a deployment come in and are sorted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cai.feedback import Imported

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="Feedback of users: into training data, a queue for people, and drafts of cases.",
)


@app.command("import")
def import_(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE...",
            help="JSONL, plain or gzip, in the format of docs/feedback.md. Without a file, the "
            "folder is sorted anew, with what people have decided since.",
        ),
    ] = None,
    into: Annotated[
        Path, typer.Option(help="Folder that holds everything; made where it is missing.")
    ] = Path("runs/feedback"),
    per_user: Annotated[
        int | None,
        typer.Option(min=1, help="Most rows of one user that are trained on; 20 at first."),
    ] = None,
    per_session: Annotated[
        int | None, typer.Option(min=1, help="The same for one session; 5 at first.")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Store the good rows of a file with bad ones.")
    ] = False,
    keep_personal: Annotated[
        bool | None,
        typer.Option(
            "--keep-personal/--queue-personal",
            help="Train on rows with personal data, too; they wait for people unless asked.",
        ),
    ] = None,
    need_consent: Annotated[
        bool | None,
        typer.Option(
            "--need-consent/--any-consent",
            help="Leave out rows that do not say consent: true.",
        ),
    ] = None,
    constitution: Annotated[
        str | None, typer.Option(help="Under which people review; harmless-helpful at first.")
    ] = None,
    judge_config: Annotated[
        Path | None,
        typer.Option(
            help="Config whose policy and judge look at liked answers: what the constitution calls "
            "worse than a plain answer waits for people."
        ),
    ] = None,
    salt: Annotated[
        Path | None,
        typer.Option(help="File with the salt for names of users; INTO/salt when absent."),
    ] = None,
) -> None:
    """Import feedback, and write what may be trained on, what waits for people, and why.

    A row that is known adds nothing, so a file can be imported again, also after a stop. Settings
    are kept for the next file.

    Example: cai feedback import monday.jsonl tuesday.jsonl.gz --into runs/feedback --per-user 10

    Example: cai feedback import --into runs/feedback
    """
    from cai.cli.row_progress import RowProgress
    from cai.cli.running import watch
    from cai.feedback import import_feedback

    settings = {
        "per_user": per_user,
        "per_session": per_session,
        "keep_personal": keep_personal,
        "need_consent": need_consent,
        "constitution": constitution,
    }
    with RowProgress("Imported") as progress:
        done = import_feedback(
            files or [],
            into,
            settings=settings,
            skip_bad=skip_bad,
            salt=salt,
            judge_config=judge_config,
            watch=watch,
            say=progress.say,
        )
    _print_taken(done)
    _print_looked(done)
    _print_account(done.facts)
    _print_next(done, into)


@app.command()
def show(
    folder: Annotated[Path, typer.Argument(help="Folder of an import.")],
    bad: Annotated[
        int, typer.Option(min=0, metavar="N", help="Also list the first so many bad lines.")
    ] = 0,
) -> None:
    """Show what came in, by whom, which biases it has, and what went where and why.

    Example: cai feedback show runs/feedback
    """
    from cai.cli.tables import print_heading, print_text
    from cai.feedback import read_account
    from cai.feedback.run import bad_lines

    _print_account(read_account(folder))
    if bad:
        print_heading("Bad lines")
        for line in bad_lines(folder, bad) or ["None."]:
            print_text(line)


def _print_taken(done: Imported) -> None:
    from cai.cli.tables import print_heading, print_table, print_text

    if not done.taken:
        return
    print_heading("Imported")
    print_table(
        ("File", "New", "Known", "Without consent", "Bad lines"),
        [(one.name, one.new, one.known, one.refused, one.bad_lines) for one in done.taken],
        numbers=(1, 2, 3, 4),
    )
    for one in done.taken:
        for bad in one.bad:
            print_text(bad.error)
        if one.bad_lines > len(one.bad):
            print_text(f"… and {one.bad_lines - len(one.bad):,} more bad lines of {one.name}")


def _print_looked(done: Imported) -> None:
    from cai.cli.tables import print_text
    from cai.wording import counted

    if (looked := done.looked) is not None:
        print_text(
            f"\n{looked.judge} compared {counted(looked.asked, 'liked answer')} with a plain one: "
            f"{looked.conflicts:,} go to people. {looked.silent:,} got no verdict, or there was no "
            "plain answer."
        )


def _print_account(facts: object) -> None:
    from cai.cli.tables import print_heading, print_table, print_text
    from cai.feedback import told
    from cai.feedback.sorting import FATES

    assert isinstance(facts, dict)
    print_heading("Feedback")
    print_table(("What", "How much"), [*told.input_lines(facts), *told.user_lines(facts)])
    print_heading("What became of the rows")
    print_table(
        ("Where", "Why", "Kind", "Rows"),
        [(FATES[one["fate"]], one["why"], one["kind"], one["rows"]) for one in facts["fates"]],
        numbers=(3,),
    )
    print_heading("What thumbs go with (95 % intervals by user)")
    print_table(
        ("What", "How much"),
        [*told.bias_lines(facts), *told.judge_lines(facts), *told.checked_lines(facts)],
    )
    for warning in told.warnings(facts):
        print_text(f"Warning: {warning}")


def _print_next(done: Imported, into: Path) -> None:
    from cai.cli.tables import print_heading, print_table, print_text
    from cai.wording import counted

    print_heading(f"Written to {into / 'export'}")
    print_table(
        ("File", "Rows", "Bytes", "SHA-256"),
        [(f.name, "" if f.rows is None else f.rows, f.bytes, f.sha256[:16]) for f in done.files],
        numbers=(1, 2),
    )
    if done.drafted:
        print_text(f"\n{counted(done.drafted, 'new draft')} of red-team cases in {into}/redteam.")
    if done.queued or done.to_check:
        print_text(
            f"\n{done.queued:,} answers to decide and {done.to_check:,} to check wait for people:\n"
            f"cai review {into}, and then cai feedback import --into {into}"
        )
