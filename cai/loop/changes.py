"""How a plan differs from what a stored run asked, piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cai.config import asked, changed_keys, parse_config
from cai.constitution.models import Constitution
from cai.errors import ConfigError
from cai.loop.fingerprints import section_of
from cai.loop.judging import judging_stage, judging_template
from cai.loop.plan import load_templates
from cai.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cai.config import Config
    from cai.constitution.models import Principle
    from cai.loop.plan import Plan, TemplateKey
    from cai.store import RunStore

__all__ = ["NEW", "RETAGGED", "UNFINISHED", "UNKNOWN", "Before", "Change", "Changes"]

Kind = Literal["model", "setting", "template", "principle", "constitution", "prompts", "answers"]

_WORDINGS = ("text", "critique", "revise", "judge", "rubric", "propositions", "examples")
_SHOWN = ("judge.preamble", "judge.few_shot", "judge.quoting")
"""Settings that change the judge's template."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is different now: changed (`~`), there (`+`) or gone (`-`).

    `kind` and `name` say what it is, for programs; `text` says it to people.
    """

    sign: Literal["~", "+", "-"]
    kind: Kind
    name: str
    text: str


NEW = Change("+", "prompts", "new", "new prompts")
UNFINISHED = Change("~", "prompts", "unfinished", "rows that were not finished")
RETAGGED = Change("~", "prompts", "tags", "order or tags of the prompts changed")
UNKNOWN = Change("~", "answers", "unknown", "answers that are not stored")


@dataclass(frozen=True)
class Before:
    """What the stored run asked."""

    plan: str
    asked: Mapping[str, Any]
    config: Config
    constitution: Constitution
    templates: Mapping[str, str]
    fingerprints: Mapping[str, str]

    @classmethod
    def of(cls, store: RunStore) -> Before:
        """Read it from a run that has begun.

        Raises:
            ConfigError: the stored config is not of this version.
        """
        told = store.meta("constitution")
        return cls(
            plan=store.meta("plan"),
            asked=store.meta("asked"),
            config=parse_config(store.meta("config"), f"the config in {store.path}"),
            constitution=Constitution.model_validate({k: told[k] for k in told if k != "hash"}),
            templates={key: t["hash"] for key, t in (store.meta("templates") or {}).items()},
            fingerprints=store.meta("fingerprints") or {},
        )


class Changes:
    """What differs between a stored run and a plan.

    Each part can be asked for its change, which is None where it is as it was; `all` has every
    change, whether or not a call follows from it.
    """

    def __init__(self, before: Before, plan: Plan) -> None:
        """Compare."""
        self.before = before
        self.keys = changed_keys(before.asked, plan.asked)
        self._models = {change.name: change for change in _models(before, plan)}
        self._templates = {change.name: change for change in _templates(before, plan)}
        self._settings = {change.name: change for change in _settings(before, plan, self.keys)}
        self._principles = {
            change.name: change for change in _principles(before.constitution, plan.constitution)
        }
        then = {p.id: p for p in before.constitution.principles}
        both = [(then[p.id], p) for p in plan.constitution.principles if p.id in then]
        self._reworded = {now.id for old, now in both if _differing(old, now) & {*_WORDINGS}}
        steady = {now.id for old, now in both if not _moves(old, now)}
        self._moved = self._principles.keys() - steady
        shown = any(change.kind == "constitution" for change in self._templates.values())
        self._constitution = tuple(
            change
            for change in _constitution(before.constitution, plan.constitution)
            if not (shown and change.name == "preamble")
        )

    @property
    def all(self) -> tuple[Change, ...]:
        """Every change, in the order of models, settings, templates, constitution."""
        parts = (self._models, self._settings, self._templates, self._principles)
        return (*(c for part in parts for c in part.values()), *self._constitution)

    def model(self, role: str) -> Change | None:
        """That of the model in a role."""
        return self._models.get(role)

    def template(self, *keys: TemplateKey) -> Change | None:
        """The first of these templates that has changed."""
        return next((self._templates[key] for key in keys if key in self._templates), None)

    def setting(self, *prefixes: str) -> Change | None:
        """The first change of a setting that begins in one of these ways, in their order."""
        return next(
            (
                change
                for prefix in prefixes
                for key, change in self._settings.items()
                if key.startswith(prefix)
            ),
            None,
        )

    def principle(self, *ids: str) -> Change | None:
        """The first of these principles that has changed, come or gone."""
        return next((self._principles[one] for one in ids if one in self._principles), None)

    def reworded(self, *ids: str) -> Change | None:
        """The first of these principles that is shown in other words."""
        return self.principle(*(one for one in ids if one in self._reworded))

    def moved(self, *ids: str) -> Change | None:
        """The first of these principles whose draws may be others now."""
        return self.principle(*(one for one in ids if one in self._moved))

    def constitution(self) -> Change | None:
        """What concerns the constitution as a whole, such as its priorities."""
        return next(iter(self._constitution), None)

    @property
    def principles(self) -> tuple[str, ...]:
        """Ids of all principles that have changed, come or gone."""
        return tuple(self._principles)


def _models(before: Before, plan: Plan) -> Iterator[Change]:
    then, now = before.config.models.roles, plan.config.models.roles
    for role, model in now.items():
        fingerprint = plan.asked[f"models.{role}.fingerprint"]
        if role not in then:
            yield Change("+", "model", role, f"{role} model added ({model.model})")
        elif before.fingerprints.get(role) != fingerprint:
            old, new = section_of(then[role]), section_of(model)
            keys = changed_keys(old, new)
            said = [f"{key} {_short(old.get(key))} → {_short(new.get(key))}" for key in keys]
            yield Change("~", "model", role, f"{role} model changed ({listed(said)})")
    for role in then:
        if role not in now:
            yield Change("-", "model", role, f"{role} model removed ({then[role].model})")


def _settings(before: Before, plan: Plan, keys: Iterable[str]) -> Iterator[Change]:
    for role, model in plan.config.models.roles.items():
        then = before.config.models.roles.get(role)
        if then and before.fingerprints.get(role) == plan.asked[f"models.{role}.fingerprint"]:
            # It is called what it was, and asked in another way.
            old, new = asked(then), asked(model)
            for key in changed_keys(old, new):
                yield _setting(f"models.{role}.{key}", old.get(key), new.get(key))
    elsewhere = ("models.", "templates.", "constitution", "prompts")
    for key in keys:
        if not key.startswith(elsewhere) or key == "prompts.principles":
            yield _setting(key, before.asked.get(key), plan.asked.get(key))


def _setting(key: str, then: object, now: object) -> Change:
    said = "how this version reads answers:" if key == "reading" else key
    return Change("~", "setting", key, f"{said} {_short(then)} → {_short(now)}")


def _templates(before: Before, plan: Plan) -> Iterator[Change]:
    judging = judging_stage(plan.config)
    for key, template in plan.templates.items():
        if before.templates.get(key) in (None, template.hash):
            # A stage that was not there is the work of a setting.
            continue
        if key == judging and _only_dressed_otherwise(before, plan):
            if plan.config.judge.preamble and before.config.judge.preamble:
                text = "preamble of the constitution changed, which judge.preamble shows"
                yield Change("~", "constitution", key, text)
            # Else it is a setting that shows more or less.
            continue
        yield Change("~", "template", key, f"template {key} changed")


def _only_dressed_otherwise(before: Before, plan: Plan) -> bool:
    """Whether the judge's template is the same file, and what the judge's settings add is not."""
    raw = load_templates(plan.config)[judging_stage(plan.config)]
    try:
        as_before = judging_template(raw, before.config, before.constitution)
    except ConfigError:
        # It cannot be put as it was, so it was another one.
        return False
    return as_before.hash == before.templates.get(judging_stage(plan.config))


def _principles(before: Constitution, now: Constitution) -> Iterator[Change]:
    then = {p.id: p for p in before.principles}
    for p in now.principles:
        if p.id not in then:
            yield Change("+", "principle", p.id, f"principle {p.id} added")
        elif said := list(_differences(then[p.id], p)):
            yield Change("~", "principle", p.id, f"principle {p.id} {listed(said)}")
    for p in before.principles:
        if p.id not in now:
            yield Change("-", "principle", p.id, f"principle {p.id} removed")


def _differences(then: Principle, now: Principle) -> Iterator[str]:
    """What a model or a draw can notice; notes and sources are for people."""
    changed = _differing(then, now)
    if wordings := [key for key in _WORDINGS if key in changed]:
        yield f"reworded ({', '.join(wordings)})"
    if "weight" in changed:
        yield f"weight {then.weight:g} → {now.weight:g}"
    if rest := sorted(changed - {*_WORDINGS, "weight"}):
        yield f"changed ({', '.join(rest)})"


def _differing(then: Principle, now: Principle) -> set[str]:
    old, new = then.meaning(), now.meaning()
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


def _moves(then: Principle, now: Principle) -> bool:
    """Whether draws may move: by weight, by the prompts it is for, or by a wording it lacks."""
    words = ("critique", "revise", "judge")
    return bool(_differing(then, now) - {*_WORDINGS}) or any(
        bool(getattr(then, word)) != bool(getattr(now, word)) for word in words
    )


def _constitution(before: Constitution, now: Constitution) -> Iterator[Change]:
    for name in ("preamble", "priorities", "aggregate"):
        if getattr(before, name) != getattr(now, name):
            yield Change("~", "constitution", name, f"{name} of the constitution changed")


def _short(value: Any) -> str:
    """A value of a config for people; keys that stand at their defaults may be left out of it."""
    if isinstance(value, list):
        text = f"[{', '.join(map(_short, value))}]"
    elif isinstance(value, bool):
        text = str(value).lower()
    else:
        text = "default" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
