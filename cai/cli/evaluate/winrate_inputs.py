"""What `cai evaluate winrate` compares, from its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cai.cli.generate import EngineName
    from cai.config import Config, ModelConfig
    from cai.constitution.models import Constitution
    from cai.evaluate.records import Subject
    from cai.evaluate.winrate import Check, Contest
    from cai.records import Prompt
    from cai.validation.exchange import PairFormat

__all__ = ["Compared", "Inputs", "read_check"]


@dataclass(frozen=True)
class Compared:
    """Who is compared, and under which config.

    Args:
        config: its judge and decoding count.
        constitution: to be judged under.
        notes: on what is compared.
        subjects: models to be asked; none where `given` has the answers.
        base: name of one of them; empty where all meet all.
        prompts: for the subjects.
        given: answers that are there already.
    """

    config: Config
    constitution: Constitution
    notes: tuple[str, ...]
    subjects: tuple[Subject, ...] = ()
    base: str = ""
    prompts: tuple[Prompt, ...] = ()
    given: Contest | None = None


@dataclass(frozen=True)
class Inputs:
    """The options that say what the config is and which prompts are asked."""

    config: Path | None
    setting: list[str] | None
    engine: EngineName | None
    judge: str | None
    prompts: Path | None
    limit: int | None

    def of_models(
        self, subject: Sequence[str] | None, base: str | None, *, all_pairs: bool
    ) -> Compared:
        """Models that are asked.

        Raises:
            ConfigError: the config does not fit the schema.
            InputError: the prompts cannot be read.
            UsageError: the options do not go together, or name no models.
        """
        from cai.cli.evaluate.running import open_settings
        from cai.constitution import load_constitution

        settings = open_settings(
            self.config, self.setting, self.engine, self.judge, prompts=self.prompts
        )
        subjects, against = _subjects(subject, base, settings, all_pairs=all_pairs)
        return Compared(
            settings,
            load_constitution(settings.constitution),
            _own_judge(settings, {one.name: one.model for one in subjects}),
            tuple(subjects),
            against,
            _first_prompts(settings, self.limit),
        )

    def of_run(
        self,
        run: Path,
        subject: Sequence[str] | None,
        base: str | None,
        *,
        all_pairs: bool,
    ) -> Compared:
        """The revisions of a run.

        Raises:
            ConfigError: the config does not fit the schema.
            StoreError: the run cannot be read, or is a shard.
            UsageError: the options do not go together, or the run has no revisions.
        """
        from cai.cli.evaluate.running import open_settings
        from cai.constitution import load_constitution
        from cai.evaluate.winrate import revisions_of
        from cai.loop.judged_run import JudgedRun
        from cai.store import RunStore

        if subject or base or all_pairs or self.prompts:
            raise UsageError(
                "--revisions compares the answers of a run with each other, so it takes no "
                "--subject, --base, --all-pairs or --prompts. Leave one or the other out."
            )
        if self.setting and self.config is None:
            raise UsageError(
                "--revisions takes the config that the run was made with, which --set does not "
                "change. Add --config FILE, or leave --set out."
            )
        with RunStore.read(run) as store:
            judged, contest = JudgedRun.of(store), revisions_of(store, limit=self.limit)
        settings, constitution = judged.config, judged.constitution
        if self.config is not None:
            settings = open_settings(self.config, self.setting, self.engine, self.judge)
            constitution = load_constitution(settings.constitution)
        else:
            settings = _with_judge(settings, self.engine, self.judge)
        roles = judged.config.models.roles
        authors = {"the first answers": roles["policy"], "the revisions": roles["critic"]}
        notes = _own_judge(settings, authors)
        return Compared(settings, constitution, notes, given=contest)


def read_check(path: Path, format: PairFormat, limit: int | None) -> Check | None:
    """Labelled pairs of a file; None where the limit is 0.

    Raises:
        InputError: it cannot be read, or holds none.
    """
    from cai.evaluate.winrate import Check
    from cai.validation.exchange import read_comparisons

    comparisons = read_comparisons(path, "human", format).comparisons[:limit]
    return Check(path.name, comparisons) if comparisons else None


def _subjects(
    texts: Sequence[str] | None, base: str | None, config: Config, *, all_pairs: bool
) -> tuple[list[Subject], str]:
    """The subjects with the base among them, and its name; empty where all meet all."""
    from cai.cli.evaluate.subjects import parse_subject, parse_subjects
    from cai.evaluate.records import Subject

    if not texts:
        raise UsageError(
            "Nothing to compare: name models with --subject NAME=MODEL, or a run with --revisions."
        )
    subjects = parse_subjects(texts, config)
    names = [one.name for one in subjects]
    if all_pairs:
        if base is not None:
            raise UsageError("--all-pairs has no base: leave --base or --all-pairs out.")
        return subjects, ""
    if base in names:
        return subjects, str(base)
    if base is None and len(subjects) > 1:
        return subjects, names[0]
    against = Subject("base", config.models.policy) if base is None else parse_subject(base, config)
    if against.name in names:
        raise UsageError(
            f"A subject is called '{against.name}', which is what the base is called. Give the "
            "base a name of its own: --base NAME=MODEL."
        )
    return [against, *subjects], against.name


def _first_prompts(config: Config, limit: int | None) -> tuple[Prompt, ...]:
    """The first different prompts of the config's file."""
    from itertools import islice

    from cai.intake import read_prompts

    known: set[str] = set()

    def new(prompt: Prompt) -> bool:
        fresh = prompt.id not in known
        known.add(prompt.id)
        return fresh

    found = filter(new, read_prompts(config.prompts.path, config.prompts.format))
    return tuple(islice(found, limit))


def _with_judge(config: Config, engine: EngineName | None, judge: str | None) -> Config:
    from cai.cli.evaluate.subjects import model_of

    models = config.models
    if engine is not None:
        models = models.over(lambda one: one.model_copy(update={"engine": engine.value}))
    if judge is not None:
        named = model_of(judge, config, f"--judge {judge}")
        models = models.model_copy(update={"judge": named, "judges": ()})
    return config.model_copy(update={"models": models})


def _own_judge(config: Config, authors: dict[str, ModelConfig]) -> tuple[str, ...]:
    """A note for each author that is a judge, too (Panickssery et al. 2024, 2404.13076)."""

    def which(model: ModelConfig) -> tuple[object, ...]:
        return model.engine, model.model, model.revision

    roles = config.models.roles.items()
    judges = [which(m) for role, m in roles if role == "judge" or role.startswith("judges.")]
    own = [name for name, model in authors.items() if which(model) in judges]
    if not own or len(own) == len(authors) > 1:
        # Where one model wrote all answers, it has no reason to prefer some of them.
        return ()
    note = (
        f"The judge is the model behind {', '.join(own)}, too. Models prefer their own answers; "
        "name another with --judge."
    )
    return (note,)
