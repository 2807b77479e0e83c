"""A model as a comparison sees it: the results of its evaluations, and how it was trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.compare.things import result_files
from cai.compare.trained import read_training
from cai.errors import UsageError, nearest
from cai.evaluate.change import Sided
from cai.evaluate.results import EVALUATION, read_result
from cai.wording import listed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cai.compare.things import Thing
    from cai.compare.trained import Training
    from cai.evaluate.results import Kind, Result

__all__ = ["Model", "find_model"]


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    Args:
        label: for people.
        subject: its name in the results; empty where nothing was evaluated.
        folder: of its weights, where they were trained here.
        results: of evaluations that it took part in.
        training: how it came about; None where that is not known.
        others: further models in the same results.
        run: folder of the run that it belongs to, if any.
    """

    label: str
    subject: str
    folder: Path | None
    results: tuple[Result, ...]
    training: Training | None
    others: tuple[str, ...] = ()
    run: Path | None = None

    def sided(self, kind: Kind) -> Sided | None:
        """Its result of a kind of evaluation."""
        return next((Sided(r, self.subject) for r in self.results if r.kind == kind), None)


def find_model(thing: Thing) -> Model:
    """The model that is meant, with its evaluations and its training.

    A run or folder of results without a name means its last model: the one that was trained last.

    Raises:
        UsageError: no model is called so, or a file does not fit.
    """
    if thing.form == "checkpoint":
        return _of_checkpoint(thing)
    run = thing.path if thing.form == "run" else _run_of_results(thing.path)
    if thing.path.is_file():
        results: Sequence[Result] = (read_result(thing.path),)
    else:
        results = _results(thing.path / EVALUATION if thing.form == "run" else thing.path)
    trained = _trained(run)
    evaluated = dict.fromkeys(name for one in results for name in one.subjects)
    names = list(evaluated | dict.fromkeys(trained))
    # Reward models are trained, too, and not evaluated as the others are.
    last = list(evaluated or trained)[-1:]
    subject = thing.subject or "".join(last)
    if subject not in names:
        raise UsageError(
            f"{thing.ref}: no model is called '{subject}'. Allowed: {listed(names)}."
            f"{nearest(subject, names)}"
        )
    folder = trained.get(subject)
    label = thing.ref if thing.subject else f"{thing.ref}:{subject}"
    return Model(
        label,
        subject,
        folder,
        tuple(one for one in results if subject in one.subjects),
        None if folder is None else read_training(folder),
        tuple(name for name in names if name != subject),
        run,
    )


def _of_checkpoint(thing: Thing) -> Model:
    folder = thing.path
    run, name = _run_of(folder)
    own = _results(folder) or _results(folder / EVALUATION)
    shared = () if run is None else _results(run / EVALUATION)
    if thing.subject or not own:
        subject, results = thing.subject or name, (*own, *shared)
    else:
        subject, results = own[0].subjects[-1], tuple(own)
    mine = tuple(one for one in results if subject in one.subjects)
    if thing.subject and not mine:
        known = list(dict.fromkeys(s for one in results for s in one.subjects))
        raise UsageError(
            f"{thing.ref}: no model is called '{subject}'. Allowed: {listed(known)}."
            f"{nearest(subject, known)}"
        )
    others = dict.fromkeys(s for one in mine for s in one.subjects if s != subject)
    training = read_training(folder)
    return Model(thing.ref, subject if mine else "", folder, mine, training, tuple(others), run)


def _run_of(folder: Path) -> tuple[Path | None, str]:
    """The run that a folder of a training lies in, and what its evaluations call the model."""
    if folder.resolve().parent.name != "models":
        return None, folder.resolve().name
    inner = folder.resolve().parent.parent
    if inner.parent.name == "rounds" and inner.name.isdecimal():
        return inner.parent.parent, f"{folder.resolve().name}-{inner.name}"
    return (inner if (inner / "run.db").is_file() else None), folder.resolve().name


def _run_of_results(path: Path) -> Path | None:
    folder = (path.parent if path.is_file() else path).resolve()
    inside = folder.name == EVALUATION and (folder.parent / "run.db").is_file()
    return folder.parent if inside else None


def _trained(run: Path | None) -> dict[str, Path]:
    """Folders of the policies of a run by the names that its evaluations use, in their order."""
    if run is None:
        return {}
    rounds = {1: run, **{int(p.name): p for p in run.glob("rounds/*") if p.name.isdecimal()}}
    found = [
        (number, path.stat().st_mtime_ns, path.parent)
        for number, folder in rounds.items()
        for path in folder.glob("models/*/training.json")
    ]
    return {
        folder.name if number == 1 else f"{folder.name}-{number}": folder
        for number, _, folder in sorted(found)
    }


def _results(folder: Path) -> tuple[Result, ...]:
    return tuple(read_result(path) for path in result_files(folder))
