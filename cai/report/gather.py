"""Reading the figures of a report from a run, all from one and the same state."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from cai.errors import ConfigError, UsageError
from cai.evaluate.results import EVALUATION, read_results
from cai.loop.asked_store import FOLDER
from cai.quality import Options, check_source, open_source, read_samples
from cai.report.checkpoints import read_checkpoints
from cai.report.choice import drawn_rows, worst_rows
from cai.report.figures import BINS, Figures, People, Quality
from cai.report.influence import read_influence
from cai.report.made import read_made
from cai.report.trainings import read_trainings
from cai.store import RunStore, rows_for
from cai.store.access import refuse_shard
from cai.store.gate import read_gate
from cai.store.spending import RowMeter, spending
from cai.store.stages import read_stages
from cai.store.summary import Summariser
from cai.validation import Labels
from cai.validation.bias import judge_report
from cai.validation.report import make_report
from cai.validation.settings import settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cai.quality import Finding, Source
    from cai.quality import Report as QualityReport
    from cai.store.spending import RowSpending
    from cai.store.summary import RunSummary
    from cai.validation.bias.influence import Influence

__all__ = ["gather"]


def gather(
    run: Path,
    *,
    seed: int = 0,
    against: Sequence[Path] = (),
    draws: int = 2000,
    progress: Callable[[int], None] = lambda rows: None,
    processes: int = 1,
    ledger: Path | None = None,
) -> Figures:
    """Read everything that a report shows.

    Args:
        run: folder of the run; it may be going on.
        seed: draws the rows that are shown, and the samples of each bootstrap.
        against: evaluation files that must not be in the data.
        draws: bootstrap samples of each interval.
        progress: is told now and then how many rows are checked.
        processes: 2 checks large runs in half the time.
        ledger: folder of `cai drift` whose checkpoints are shown, too.

    Raises:
        StoreError: there is no run, it is a shard of one, or records of stages or trainings do not
            fit.
        InputError: an evaluation file cannot be read.
        UsageError: a result of an evaluation cannot be read.
    """
    with RunStore.read(run) as store, store.snapshot():
        refuse_shard(store)
        quality, findings = _quality(run, against, progress, processes)
        made = read_made(store)
        principles = {name: text for name, text, _ in made.principles}
        summary, spread, rows = _counts(store)
        influence, problem = _influence(store, run / FOLDER, draws, seed)
        return Figures(
            made=made,
            seed=seed,
            summary=summary,
            spread=spread,
            judge=judge_report(store, draws=draws, seed=seed),
            people=_people(store, draws),
            quality=quality,
            spending=spending(store, rows, summary.judged_pairs),
            influence=influence,
            influence_problem=problem,
            calls=tuple(store.models()),
            drawn=drawn_rows(store, principles, seed),
            worst=worst_rows(store, principles, findings),
            stages=read_stages(run),
            trainings=read_trainings(run),
            evaluation=tuple(read_results(run / EVALUATION)),
            checkpoints=None if ledger is None else read_checkpoints(ledger, draws=draws),
        )


def _counts(store: RunStore) -> tuple[RunSummary, dict[str, tuple[int, ...]], RowSpending]:
    """One pass over all finished rows; counts alone leave this function."""
    summariser, meter = Summariser(), RowMeter(store)
    spread: dict[str, list[int]] = defaultdict(lambda: [0] * BINS)
    for row, split in rows_for(store, "report"):
        summariser.add(row, split)
        meter.add(row)
        for pair in row.pairs:
            if pair.p is not None:
                spread[pair.kind][min(int(pair.p * BINS), BINS - 1)] += 1
    counts = {kind: tuple(bins) for kind, bins in sorted(spread.items())}
    return summariser.result(), counts, meter.result()


def _influence(
    store: RunStore, folder: Path, draws: int, seed: int
) -> tuple[Influence | None, str]:
    try:
        found = read_influence(store, folder, always=False, draws=draws, seed=seed)
    except ConfigError:
        # Its message names folders of this machine.
        return None, "The run's config or constitution does not fit this version."
    return found, ""


def _people(store: RunStore, draws: int) -> People:
    labels, gate = Labels(store), read_gate(store)
    if labels.plan() is None:
        return People(None, "No sample of held-out pairs was drawn for people.", gate)
    try:
        return People(make_report(store, labels, settings_of(store), draws=draws), "", gate)
    except UsageError:
        # Its message names folders of this machine.
        why = "The run has changed since the sample for people was drawn; draw it again."
        return People(None, why, gate)
    except ConfigError:
        why = "The section validation of the run's config does not fit this version."
        return People(None, why, gate)


def _quality(
    run: Path, against: Sequence[Path], progress: Callable[[int], None], processes: int
) -> tuple[Quality, Mapping[str, Sequence[Finding]]]:
    """The reports on train and dev, and the findings that point at a row, by its prompt."""
    options = Options(against=tuple(against))
    reports = []
    found: dict[str, dict[str, Finding]] = defaultdict(dict)
    for source in (open_source(run), _dev(open_source(run))):
        report = check_source(source, options, progress=progress, processes=processes)
        reports.append(report)
        for prompt, finding in _pointing(source, report):
            found[prompt][finding.check] = finding
    train, dev = reports
    by_prompt = {prompt: tuple(findings.values()) for prompt, findings in found.items()}
    return Quality(train, dev, len(against)), by_prompt


def _dev(source: Source) -> Source:
    return replace(source, purpose="calibration")


def _pointing(source: Source, report: QualityReport) -> list[tuple[str, Finding]]:
    grave = [f for f in report.findings if f.level in ("warning", "error") and f.drops]
    if not grave:
        return []
    # Findings name rows by their place in the source, records name their prompt.
    prompts = [orjson.loads(line)["prompt_id"] for _, line in read_samples(source)]
    return [(prompts[i], f) for f in grave for i in f.drops if i < len(prompts)]
