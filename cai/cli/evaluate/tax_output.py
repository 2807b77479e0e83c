"""Tables of `cai evaluate tax`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.evaluate.results import Figure, Result
    from cai.evaluate.tax import Verdict

__all__ = ["print_tax", "print_verdicts"]

_SAID = {
    "worse": "Over the limit",
    "doubtful": "Warning",
    "held": "Held",
    "unmeasured": "Not checked",
}


def print_tax(result: Result) -> None:
    """Accuracies, changes with the questions gained and lost, and other benchmarks."""
    from cai.cli.evaluate.running import print_figures

    own = [one for one in result.figures if not one.group.startswith("lm-eval/")]
    print_figures("Accuracy; guessing reaches 25% of options", [f for f in own if not f.against])
    _print_changes(result, [one for one in own if one.against])
    others = [one for one in result.figures if one.group.startswith("lm-eval/")]
    print_figures("lm-eval; differences are not paired", others)


def _print_changes(result: Result, changes: Sequence[Figure]) -> None:
    from cai.cli.evaluate.running import told
    from cai.cli.tables import print_heading, print_table, print_text

    if not changes:
        return
    paired = {(one["subject"], one["area"]): one["paired"] for one in result.details["changes"]}
    rows = []
    for one in changes:
        counts = paired[one.subject, one.group]
        p = "" if one.value is None else f"{counts['p']:.3g}"
        names = (f"{one.subject} − {one.against}", one.group, told(one))
        rows.append((*names, counts["gained"], counts["lost"], p, one.n))
    print_heading("Change in points of percent, on the same questions")
    head = ("Subjects", "Area", "Change [95 % interval]", "Gained", "Lost", "McNemar p", "n")
    print_table(head, rows, numbers=(3, 4, 5, 6))
    for reason in dict.fromkeys(one.unmeasured for one in changes if one.unmeasured):
        print_text(f"{reason}.")


def print_verdicts(verdicts: Sequence[Verdict]) -> None:
    """What the limit says: failures and warnings one by one, and how many held."""
    from cai.cli.tables import print_heading, print_text

    if not verdicts:
        return
    print_heading("Limit")
    for one in verdicts:
        if one.fails or one.state == "doubtful":
            print_text(f"{_SAID[one.state]}: {one.text}")
    held = sum(one.state == "held" for one in verdicts)
    unmeasured = sum(one.state == "unmeasured" and not one.fails for one in verdicts)
    print_text(f"{held} of {len(verdicts)} changes held; {unmeasured} areas could not be checked.")
