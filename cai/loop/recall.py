"""Which answers of a run its unfinished prompts would find again: walking on memory alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from cai.config import parse_config
from cai.constitution.models import Constitution
from cai.engines.memo import Answer
from cai.errors import ChangedRunError, RowEngineError
from cai.loop.judging import logprobs_of, open_jury
from cai.loop.plan import Plan, for_judging, load_templates
from cai.loop.secret import stored_secret
from cai.loop.walk import Desk, Walk
from cai.quoting import new_secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Literal

    from cai.config import Config
    from cai.engines.memo import Caller
    from cai.records import Prompt, Request
    from cai.store import RunStore

__all__ = ["Recall"]


class _Memory:
    """Stands in for a caller: answers what was answered before, and asks no model."""

    def __init__(self, store: RunStore, fingerprint: str, found: set[str]) -> None:
        self._store = store
        self._fingerprint = fingerprint
        self._found = found

    async def ask(self, request: Request) -> Answer:
        request_id = request.identity(self._fingerprint)
        completion = self._store.completion(request_id)
        if completion is None:
            raise RowEngineError("Not answered so far.")
        self._found.add(request_id)
        return Answer(request_id, completion)


class Recall:
    """Walks prompts through the stored plan of a run as far as its memory reaches."""

    def __init__(self, store: RunStore) -> None:
        """Take the plan from the store, and the templates from where its config names them.

        Raises:
            ChangedRunError: a template is not what it was when the run was last started.
            ConfigError: a template is gone, or the stored config is not of this version.
        """
        self._store = store
        config = parse_config(store.meta("config"), f"the config in {store.path}")
        stored = {k: v for k, v in store.meta("constitution").items() if k != "hash"}
        constitution = Constitution.model_validate(stored)
        templates = for_judging(load_templates(config), config, constitution)
        changed = tuple(
            f"templates.{stage}"
            for stage, facts in (store.meta("templates") or {}).items()
            if templates[stage].hash != facts["hash"]
        )
        if changed:
            raise ChangedRunError(
                f"Some prompts of {store.folder} wait or have failed, and which answers they still "
                "need depends on the prompt templates, which have changed since the run was last "
                f"started ({', '.join(changed)}). Start it again with 'cai generate --update' "
                "first, or put the old templates back.",
                changed,
            )
        fingerprints = store.meta("fingerprints")
        judging = [role for role in fingerprints if role not in ("policy", "critic")]
        # With a panel, `judge` is kept beside its members, and is the first of them.
        panel = any(role.startswith("judges.") for role in judging)
        judges = {r: fingerprints[r] for r in judging if not (panel and r == "judge")}
        self._modes = _judges(config, judges)
        # Without a secret no judge was asked yet, and any will do to find that out.
        self._secret = stored_secret(store) or new_secret()
        self._plan = Plan(
            config=config,
            constitution=constitution,
            templates=templates,
            asked=store.meta("asked"),
            hash=store.meta("plan"),
            judges=judges,
        )

    async def request_ids(self, prompts: Iterable[Prompt]) -> set[str]:
        """The answered calls that these prompts would ask for again."""
        found: set[str] = set()
        memories: dict[str, Any] = {
            role: _Memory(self._store, fingerprint, found)
            for role, fingerprint in self._store.meta("fingerprints").items()
        }
        for prompt in prompts:
            for mode in self._modes:
                # Where the memory ends, the walk gives up; what it found until then counts.
                await Walk(self._desk(memories, mode), prompt).run()
        return found

    def _desk(self, memories: Mapping[str, Any], logprobs: Literal["auto", "never"] | None) -> Desk:
        plan = self._plan
        return Desk(
            plan=plan,
            policy=cast("Caller", memories["policy"]),
            critic=cast("Caller", memories["critic"]),
            judge=open_jury(plan, memories, logprobs=logprobs, secret=self._secret),
        )


def _judges(config: Config, judges: Iterable[str]) -> tuple[Literal["auto", "never"] | None, ...]:
    """Ways in which the judges may have been asked; None is as the config says of each."""
    modes = {logprobs_of(config.models, role) for role in judges}
    # A judge that turns out to give no log-probabilities is no longer asked for them on the way.
    return (None, "never") if "auto" in modes else ("never",)
