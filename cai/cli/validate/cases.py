"""`cai validate to-cases`: disagreements as test cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["to_cases"]


def to_cases(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    out: Annotated[
        Path | None, typer.Option(help="File to write, in place of RUN/validation/cases.yaml.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only so many, the judge's surest mistakes first.")
    ] = None,
    retire: Annotated[
        bool,
        typer.Option(
            "--retire",
            help="Take all labelled prompts out of the held-out set, for good: what was tuned on "
            "cannot be tested on, and without the judge's mistakes the others would flatter it. Do "
            "so before you change a constitution or a prompt because of the cases, or use them as "
            "few-shot examples.",
        ),
    ] = False,
) -> None:
    """Write pairs on which people and judge disagree: test cases, and few-shot candidates.

    Example: cai validate to-cases runs/default --limit 20
    """
    import io

    from ruamel.yaml import YAML

    from cai.cli.tables import print_text
    from cai.errors import UsageError
    from cai.store import RunStore
    from cai.validation import Labels
    from cai.validation.cases import as_plain, find_cases
    from cai.validation.settings import settings_of
    from cai.validation.table import read_table

    RunStore.read(run).close()
    target = out or run / "validation" / "cases.yaml"
    with (RunStore.open if retire else RunStore.read)(run) as store:
        labels = Labels(store)
        labels.needed_plan()
        if not read_table(labels).items:
            raise UsageError(
                f"Nobody has labelled pairs of the plan of {run}; cases are pairs on which people "
                f"and judge disagree. Have some labelled: cai review {run}"
            )
        cases = find_cases(labels, settings_of(store).gold)[:limit]
        retired = set(read_table(labels).groups) if retire else set[str]()
        if retire:
            labels.retire(retired, "cases")
    told = [as_plain(case) for case in cases if case.expect != "tie"]
    if told:
        summary = f"Pairs of {run.name} on which people and the judge disagree."
        text = io.StringIO()
        writer: Any = YAML(typ="safe", pure=True)
        writer.default_flow_style, writer.sort_base_mapping_type_on_output = False, False
        writer.dump({"format": 1, "summary": summary, "cases": told}, text)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.getvalue(), encoding="utf-8")
        print_text(f"{len(told):,} cases on which people and judge disagree: {target}")
        print_text(f"Try them with: cai constitution test NAME --own --cases {target}")
    else:
        print_text("No cases on which people and judge disagree about the better answer.")
    if ties := len(cases) - len(told):
        print_text(f"Left out: {ties:,} that people call a tie, which is no test of a preference.")
    if retire:
        print_text(
            f"All {len(retired):,} labelled prompt groups are held out no longer. Draw a new "
            f"sample: cai validate plan {run}"
        )
    elif cases:
        print_text("They stay held out: test with them, and tune on them only after --retire.")
