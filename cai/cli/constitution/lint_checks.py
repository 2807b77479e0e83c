"""From the options of `cai constitution lint` to what was found of each constitution."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cai.constitution import load_constitution
from cai.constitution.lint import (
    Places,
    context_findings,
    coverage,
    coverage_findings,
    in_order,
    load_taxonomy,
    prompt_findings,
    questions,
)
from cai.constitution.lint import lint as findings_of
from cai.constitution.load import find_constitution
from cai.constitution.releases import release_findings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cai.cli.constitution.lint_judge import Asked
    from cai.config import Config
    from cai.constitution import Constitution
    from cai.constitution.lint import Covered, Finding, Taxonomy

__all__ = ["Checked", "Found", "Wanted", "check"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; see the options of the command."""

    ignored: frozenset[str] = frozenset()
    prompts: Path | None = None
    coverage: tuple[str, ...] = ()
    context: int | None = None
    contradictions: bool = False
    config: Path | None = None
    engine: str | None = None
    limit: int | None = None
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A finding and its line in the file, counted from 1; None where it has none."""

    finding: Finding
    line: int | None


@dataclass(slots=True)
class Checked:
    """What was found of one constitution."""

    constitution: Constitution
    path: Path
    findings: list[Found] = field(default_factory=list)
    coverage: list[tuple[Taxonomy, list[Covered]]] = field(default_factory=list)
    asked: Asked | None = None


def check(refs: Sequence[str], wanted: Wanted) -> list[Checked]:
    """Look at each constitution. All are loaded before a judge is asked about any.

    Raises:
        CaiError: a constitution, the prompts, a taxonomy, the config or its templates cannot be
            read, or the judge cannot be asked.
    """
    paths = [find_constitution(ref) for ref in refs]
    found = [Checked(load_constitution(path), path) for path in paths]
    taxonomies = [load_taxonomy(name) for name in wanted.coverage]
    tags = _tags(wanted.prompts)
    settings = _settings(wanted.config) if wanted.context is not None else None
    for one in found:
        loaded = one.constitution
        findings = [*findings_of(loaded), *release_findings(one.path)]
        if wanted.prompts is not None:
            findings += prompt_findings(loaded, tags, str(wanted.prompts))
        if wanted.context is not None and settings is not None:
            findings += _context_findings(loaded, wanted.context, settings)
        one.coverage = [(taxonomy, coverage(loaded, taxonomy)) for taxonomy in taxonomies]
        for taxonomy, covered in one.coverage:
            findings += coverage_findings(covered, taxonomy)
        if wanted.contradictions:
            from cai.cli.constitution.lint_judge import ask_about

            one.asked = ask_about(loaded, wanted)
            findings += one.asked.findings
        places = Places(one.path, loaded)
        kept = in_order(f for f in findings if f.code not in wanted.ignored)
        one.findings = [Found(f, places.line(f)) for f in kept]
    return found


def _tags(prompts: Path | None) -> list[tuple[str, ...]]:
    if prompts is None:
        return []
    from cai.intake import read_prompts

    return [prompt.tags for prompt in read_prompts(prompts)]


def _settings(config: Path | None) -> Config:
    from cai.config import load_config, parse_config

    # What a config says nothing of is what a run takes; the prompts are not read here.
    return load_config(config) if config else parse_config({"prompts": {"path": "starter"}})


def _context_findings(loaded: Constitution, context: int, settings: Config) -> list[Finding]:
    from cai.loop.judging import judging_stage, judging_template
    from cai.loop.plan import load_templates

    templates = load_templates(settings)
    judging = judging_template(templates[judging_stage(settings)], settings, loaded)
    # Codes in delimiters are all of the same length, whatever the secret.
    asked = questions(
        settings, judging.with_secret(b"lint"), templates["critique"], templates["revise"]
    )
    whole = settings.judge.scope == "constitution"
    return context_findings(loaded, context, asked, whole=whole)
