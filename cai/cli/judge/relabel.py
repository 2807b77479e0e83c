"""`cai judge relabel`: a judge's word beside the labels that a preference file has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cai.cli.judge.options import ConfigFile, Format, JudgeEngine, Settings, Update
from cai.cli.published import PairFormatName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.cli.generate import EngineName
    from cai.records import Pair
    from cai.validation.exchange import Comparison

__all__ = ["relabel"]

_ALL_TRAIN = {"split.dev": 0.0, "split.held_out": 0.0}
"""Every row is wanted back, so none is held out."""


def relabel(
    file: Annotated[Path, typer.Argument(help="Comparisons, as for cai judge bench.")],
    out: Annotated[Path, typer.Option(help="Where to write them, as JSONL.")],
    run: Annotated[Path, typer.Option(help="Folder of the run that holds the judge's answers.")],
    format: Format = PairFormatName.auto,
    config: ConfigFile = None,
    engine: JudgeEngine = None,
    setting: Settings = None,
    update: Update = False,
) -> None:
    """Judge the pairs of a file anew, and write each row with the old label beside the new one.

    Rows keep what they hold and get: label_before (first, second or tie, by the places that the
    answers have in the row), p (probability that the first is better) and outcome. A p or outcome
    that was there is kept as p_before and outcome_before. Where a prompt has several pairs, each
    further one is judged in a run of its own, RUN-2, RUN-3 and so on.

    Example: cai judge relabel old.jsonl --out new.jsonl --run runs/relabel
    """
    from cai.cli.settings import overrides_of
    from cai.cli.tables import print_text
    from cai.errors import UsageError
    from cai.validation.exchange.published import compared_rows

    if out.exists() and out.samefile(file):
        raise UsageError(f"--out {out} is the file itself. Name another one.")
    rows = [(row, one) for _, row, one in compared_rows(file, "model", format.value)]
    overrides = overrides_of(setting or [])
    judged: dict[tuple[str, frozenset[str]], Pair] = {}
    for number, layer in enumerate(_layers([one for _, one in rows]), 1):
        folder = run if number == 1 else run.with_name(f"{run.name}-{number}")
        wanted = {**overrides, **_ALL_TRAIN, "run": str(folder)}
        judged |= _judge(layer, file, config, wanted, engine, update=update)
    agree = _write(out, [_labelled(row, one, judged) for row, one in rows])
    print_text(f"{len(rows):,} rows in {out}; old and new label agree in {agree}.")


def _layers(found: list[Comparison | str]) -> Iterator[list[Comparison]]:
    """Comparisons dealt out so that no prompt comes twice in a layer; equal ones count once."""
    layers: list[dict[str, Comparison]] = []
    seen: dict[str, set[frozenset[str]]] = {}
    for one in found:
        if isinstance(one, str):
            continue
        before = seen.setdefault(one.prompt.id, set())
        answers = frozenset(one.answers)
        if answers in before:
            continue
        if len(before) == len(layers):
            layers.append({})
        layers[len(before)][one.prompt.id] = one
        before.add(answers)
    for layer in layers:
        yield list(layer.values())


def _judge(
    layer: list[Comparison],
    file: Path,
    config: Path | None,
    overrides: dict[str, Any],
    engine: EngineName | None,
    *,
    update: bool,
) -> dict[tuple[str, frozenset[str]], Pair]:
    """The pairs with their verdicts, by prompt and answers."""
    from cai.cli.published import given_run
    from cai.cli.running import watch
    from cai.store import RunStore, rows_for

    generation = given_run(layer, file, config, overrides, engine, update=update)
    watch(generation)
    with RunStore.read(generation.folder) as store:
        return {
            (pair.prompt_id, frozenset((pair.first, pair.second))): pair
            for row, _ in rows_for(store, "training")
            for pair in row.pairs
        }


def _labelled(
    row: dict[str, Any],
    one: Comparison | str,
    judged: dict[tuple[str, frozenset[str]], Pair],
) -> dict[str, Any]:
    record = dict(row)
    for key in ("p", "outcome"):
        if key in row:
            record[f"{key}_before"] = row[key]
    if isinstance(one, str):
        return {**record, "label_before": None, "p": None, "outcome": f"not judged: {one}"}
    pair = judged.get((one.prompt.id, frozenset(one.answers)))
    verdict = pair.verdict if pair else None
    if pair is None or verdict is None:
        said = f"not judged: {pair.note if pair else 'the row failed'}"
        return {**record, "label_before": one.label, "p": None, "outcome": said}
    if pair.first != (one.rejected if one.turned else one.chosen):
        pair = pair.swap()
    assert pair.verdict is not None
    outcome = pair.verdict.outcome
    return {**record, "label_before": one.label, "p": pair.p, "outcome": outcome}


def _write(out: Path, records: list[dict[str, Any]]) -> str:
    """Write the rows; returns how many of the decided labels are the same as before."""
    from cai.store.statistics import Rate

    working = out.with_name(f"{out.name}.part")
    working.write_bytes(b"".join(_line(record) for record in records))
    working.replace(out)
    decided = [r for r in records if {r["label_before"], r["outcome"]} <= {"first", "second"}]
    same = sum(record["label_before"] == record["outcome"] for record in decided)
    return str(Rate(same, len(decided)))


def _line(record: dict[str, Any]) -> bytes:
    import orjson

    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
