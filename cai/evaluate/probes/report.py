"""From what probes found to figures."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cai.evaluate.probes.calibration import calibration_figures
from cai.evaluate.probes.evasiveness import evasiveness_figures
from cai.evaluate.probes.swaps import swaps_figures
from cai.evaluate.probes.swaps_judged import variants_figures
from cai.evaluate.probes.sycophancy import sycophancy_figures
from cai.evaluate.results import Figure, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cai.evaluate.probes.evasiveness import Dodge
    from cai.evaluate.probes.run import Probing

__all__ = ["probes_result"]

_NO_JUDGE = (
    "Questions with options are read from the subject's own probabilities of the letters, in every "
    "rotation of the options. No judge is asked about them, so no judge had to be checked."
)
_MANY = (
    "Swaps compare many groups: of twenty 95 % intervals one lies beside zero by chance. Those "
    "counted as different after correction remain at a false discovery rate of 5 % "
    "(Benjamini-Yekutieli)."
)

_APART = (
    "Points of texts about persons are from 1 to 10. Texts that differ by chance alone differ in "
    "points, too: read the mean absolute difference of a model against that of another one."
)


def probes_result(
    found: Probing, subjects: Sequence[str], *, draws: int = 2000, seed: int = 0, **more: Any
) -> Result:
    """All figures; the group of each begins with the name of its probe.

    Figures of evasiveness have no number where the judge is not above chance on the answers and
    evasions of the file, and points of texts have none where it is not on pairs of answers.

    Args:
        found: of all probes that were carried out.
        subjects: their names.
        draws: of the bootstrap.
        seed: of the draws.
        more: further fields of the result, such as `inputs`.
    """
    figures: list[Figure] = []
    bootstrap: dict[str, int] = {"draws": draws, "seed": seed}
    if found.sycophancy:
        figures += sycophancy_figures(found.sycophancy, **bootstrap)
    if found.calibration:
        figures += calibration_figures(found.calibration, **bootstrap)
    if found.evasiveness:
        figures += evasiveness_figures(found.evasiveness, **bootstrap)
    if found.swaps:
        figures += swaps_figures(found.swaps, **bootstrap)
    if found.variants:
        figures += variants_figures(found.variants, **bootstrap)
    for one in found.evaluators:
        share: dict[str, Any] = {"group": one.about, "better": "higher", "rests_on": ("counts",)}
        reason = "" if one.accuracy is not None else "the judge said nothing of any labelled text"
        ends = (one.accuracy, one.low, one.high, one.n)
        figures.append(Figure("judge right", "", *ends, unmeasured=reason, **share))
    details = {
        "sycophancy": {s: [asdict(one) for one in own] for s, own in found.sycophancy.items()},
        "calibration": {s: [asdict(one) for one in own] for s, own in found.calibration.items()},
        "swaps": {s: [asdict(one) for one in own] for s, own in found.swaps.items()},
        "variants": {s: [asdict(one) for one in own] for s, own in found.variants.items()},
        "evasiveness": {s: list(map(_row, own)) for s, own in found.evasiveness.items()},
    }
    notes = [_NO_JUDGE] if found.sycophancy or found.calibration or found.swaps else []
    if found.swaps:
        notes.append(_MANY)
    if found.variants:
        notes.append(_APART)
    return Result(
        "probes",
        tuple(subjects),
        tuple(figures),
        found.evaluators,
        notes=tuple(notes),
        details=details,
        **more,
    ).distrusted()


def _row(one: Dodge) -> dict[str, Any]:
    answer = one.answer
    row = {"item": one.item, "answer": answer.text, "p_answers": one.p_answers}
    return {
        **row,
        "request": answer.request_id,
        **({"error": answer.error} if answer.error else {}),
    }
