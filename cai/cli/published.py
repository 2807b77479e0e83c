"""What `cai import` and `cai judge bench` share: a file of comparisons becomes a judged run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cai.cli.generate import EngineName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.config import Config
    from cai.loop.given import GivenGeneration
    from cai.validation.exchange import Comparison, Imported, Published
    from cai.validation.records import AnnotatorKind

__all__ = ["Kind", "PairFormatName", "carry_out", "given_run", "stem"]

_FIXED = {"loop.samples": 2, "loop.rounds": 0, "loop.pairs": ["samples"]}
"""What makes the two published answers the two samples of each prompt, and nothing else."""

_NO_NAMES = ("data", "dataset", "eval", "task", "test", "train")
"""Names that many files have; their folder says more."""


class Kind(StrEnum):
    """Who chose."""

    human = "human"
    model = "model"
    simulated = "simulated"


class PairFormatName(StrEnum):
    """Formats of files of comparisons."""

    auto = "auto"
    hh_rlhf = "hh-rlhf"
    llmbar = "llmbar"
    hhh = "hhh"
    pandalm = "pandalm"
    jsonl = "jsonl"


def carry_out(
    published: Published,
    file: Path,
    config: Path | None,
    overrides: dict[str, Any],
    engine: EngineName | None,
    annotator: str | None,
    kind: AnnotatorKind,
    *,
    update: bool,
) -> tuple[GivenGeneration, Imported]:
    """Have the answers judged, with progress on standard error; then keep who was chosen.

    Args:
        published: what the file holds.
        file: where it is.
        config: its judge, constitution and split are used; those of `_import.yaml` when absent.
        overrides: values in place of the config's, by dotted keys.
        engine: of the judge, in place of the config's.
        annotator: name for whoever chose; the file's name when absent.
        kind: of whoever chose.
        update: go on although the file or the config has changed.

    Raises:
        CaiError: as `GivenGeneration`, and as `keep_published`.
    """
    from cai.cli.running import watch
    from cai.store import RunStore
    from cai.validation.exchange import annotator_names, keep_published

    name = annotator or stem(file)
    names = annotator_names(published.comparisons, name)
    generation = given_run(published.comparisons, file, config, overrides, engine, update=update)
    _check_names(generation.folder, names, kind)
    watch(generation)
    with RunStore.open(generation.folder) as store:
        imported = keep_published(store, published.comparisons, name, kind)
    return generation, imported


def given_run(
    comparisons: Iterable[Comparison],
    file: Path,
    config: Path | None,
    overrides: dict[str, Any],
    engine: EngineName | None,
    *,
    update: bool,
) -> GivenGeneration:
    """The run that judges them; the arguments are those of `carry_out`."""
    from cai.loop.given import GivenGeneration

    return GivenGeneration(
        _settings(file, config, overrides, engine),
        {one.prompt: one.answers for one in comparisons},
        name=file.name,
        update=update,
    )


def stem(file: Path) -> str:
    """`harmless-base.jsonl.gz` → `harmless-base`; `Natural/dataset.json` → `Natural`."""
    name = file.name.removesuffix(".gz")
    name = name.removesuffix(Path(name).suffix)
    folder = file.absolute().parent.name
    return folder if name.lower() in _NO_NAMES and folder else name


def _settings(
    file: Path, config: Path | None, overrides: dict[str, Any], engine: EngineName | None
) -> Config:
    """The config with the file in place of its prompts, and nothing but its answers compared."""
    from cai.config import load_config
    from cai.errors import UsageError

    if fixed := sorted(_FIXED.keys() & overrides.keys()):
        raise UsageError(
            f"--set {fixed[0]}: the two published answers are the samples of an import, and no "
            "others are made. Leave the option out."
        )
    prompts = {"path": str(file.absolute()), "format": "auto", "mix": []}
    overrides |= {**_FIXED, **{f"prompts.{key}": value for key, value in prompts.items()}}
    settings = load_config(config or Path(__file__).with_name("_import.yaml"), overrides)
    if engine is None:
        return settings
    models = settings.models
    judge = models.judge or models.critic or models.policy
    judge = judge.model_copy(update={"engine": engine.value})
    return settings.model_copy(update={"models": models.model_copy(update={"judge": judge})})


def _check_names(folder: Path, names: Iterable[str], kind: AnnotatorKind) -> None:
    """Find names that belong to another kind before anything is paid for."""
    from cai.store import RunStore
    from cai.validation import Labels
    from cai.validation.exchange.keep import refuse_other_kinds

    if (folder / "run.db").exists():
        with RunStore.read(folder) as store:
            refuse_other_kinds(Labels(store), names, kind)
