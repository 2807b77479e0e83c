"""The main job: prompts in, rows with revisions and judged pairs out, through a run store."""

from __future__ import annotations

import time
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from cai.config import Config, changed_keys
from cai.errors import ChangedRunError
from cai.loop.callers import open_callers, prompts_in_work
from cai.loop.judging import open_jury
from cai.loop.plan import Plan, for_judging, load_templates, make_plan
from cai.loop.progress import Progress
from cai.loop.schedule import in_work
from cai.loop.secret import quoting_secret
from cai.loop.shard import admissions, check_begun, own_share
from cai.loop.source import PromptSource, open_source
from cai.loop.sync import iterate
from cai.loop.walk import Desk, Walk
from cai.store import RunStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence

    from cai.config import JudgeConfig, OutputConfig
    from cai.constitution.models import Constitution
    from cai.engines import Engine, Engines
    from cai.records import Pair, Prompt, Row
    from cai.store.export import ExportResult
    from cai.store.run import Admitted
    from cai.store.shard import Shard

__all__ = ["Generation"]


class Generation:
    """One run. Iterate over it (`for row in run` or `async for row in run.stream()`), then export.

    Iterating walks every prompt that has no finished row yet and yields its row. Started again
    with the same folder it goes on where it stopped: nothing that was answered is asked again.

    Example:
        >>> import cai
        >>> run = cai.Generation.create(
        ...     "harmless-helpful", ["How do I apologise?"], policy=cai.engines.ScriptedEngine()
        ... )  # doctest: +SKIP
        >>> for pair in run.pairs():  # doctest: +SKIP
        ...     print(pair.p, pair.first, pair.second)
    """

    def __init__(
        self,
        config: Config,
        *,
        constitution: Constitution | None = None,
        prompts: Sequence[Prompt | str] | None = None,
        engines: Engines | None = None,
        update: bool = False,
        shard: Shard | None = None,
    ) -> None:
        """Check everything that can be checked before a model is asked.

        Args:
            config: the whole config.
            constitution: in place of the one that the config names. That one is pinned when the run
                begins (`cai.constitution.lock`), and read anew with `update`.
            prompts: in place of the file that the config names.
            engines: in place of those that the config describes. After `stream` they are still
                open; after a synchronous run they are closed, because their event loop ends, and
                start again when they are used again.
            update: accept that a stored run asked something else; keep what is still valid.
            shard: work on this part of the run only, in a folder of its own; see
                `cai.store.merge`.

        Raises:
            UsageError: config, constitution, templates or prompts cannot be used.
            MissingExtraError: an engine needs packages that are not installed.
        """
        from cai.constitution.lock import resolve_locked
        from cai.engines import open_engines

        self.config = config
        self.shard = shard
        self.folder = shard.folder(Path(config.run)) if shard else Path(config.run)
        self._named = constitution is None
        self.constitution = constitution or resolve_locked(
            config.constitution, Path(config.run), update=update
        )
        self.templates = for_judging(load_templates(config), config, self.constitution)
        self.source: PromptSource = open_source(config.prompts, prompts)
        self.progress = Progress()
        self._engines = engines or open_engines(config.models)
        self._own_engines = engines is None
        self._update = update

    @classmethod
    def create(
        cls,
        constitution: Constitution | str,
        prompts: Sequence[Prompt | str] | str | Path,
        *,
        policy: Engine,
        critic: Engine | None = None,
        judge: Engine | None = None,
        judges: Sequence[Engine] = (),
        fallback_judge: Engine | None = None,
        run: str | Path = "runs/default",
        update: bool = False,
        judging: JudgeConfig | None = None,
        **sections: Any,
    ) -> Self:
        """The same from Python objects.

        Args:
            constitution: resolved, or what `load_constitution` takes.
            prompts: conversations, plain strings, or the path of a prompt file.
            policy: answers the prompts.
            critic: critiques and revises; the policy when absent.
            judge: compares answers; the critic when absent.
            judges: a panel that compares answers in place of `judge`.
            fallback_judge: compares answers where the judge refuses to.
            run: folder of the run.
            update: as for the class.
            judging: the section `judge` of the config (`judge` is the engine here).
            sections: further sections of the config (`loop=`, `split=`, `output=` …), as objects
                or plain dicts.

        Raises:
            UsageError: as for the class.
        """
        from cai.config import parse_config
        from cai.constitution import load_constitution
        from cai.engines import Engines

        path = prompts if isinstance(prompts, str | Path) else None
        given = {"run": str(run), "prompts": {"path": str(path or "(given in Python)")}}
        config = parse_config({**given, **sections, **({"judge": judging} if judging else {})})
        return cls(
            config,
            constitution=(
                load_constitution(constitution) if isinstance(constitution, str) else constitution
            ),
            prompts=None if isinstance(prompts, str | Path) else prompts,
            engines=Engines(
                policy,
                critic or policy,
                judge or (judges[0] if judges else critic or policy),
                tuple(judges),
                fallback_judge,
            ),
            update=update,
        )

    def __iter__(self) -> Iterator[Row]:
        """Yield rows as they are finished; also works in a notebook."""
        return iterate(self._stream_and_close)

    def pairs(self) -> Iterator[Pair]:
        """Yield judged pairs as they appear, oriented so that `first` is the chosen one.

        These are pairs of all splits, to look at; `export` writes those that may be trained on.
        """
        for row in self:
            yield from (pair.oriented() for pair in row.pairs if pair.verdict)

    async def stream(self) -> AsyncGenerator[Row]:
        """Yield rows as they are finished.

        Raises:
            ChangedRunError: the stored run asked something else, and `update` was not given.
            FatalEngineError: a model cannot be asked; what was answered is kept.
            StoreError: the run cannot be written.
        """
        check_begun(Path(self.config.run), self.shard)
        await self._engines.start()
        try:
            plan = make_plan(
                self.config, self.constitution, self.templates, self._engines, self.source.hash
            )
            with RunStore.open(self.folder, durable=self.config.runtime.durable) as store:
                epoch, start = self._begin(store, plan)
                # Whoever leaves the iteration early leaves the inner ones in this order, too.
                async with aclosing(self._rows(store, plan, epoch, start)) as rows:
                    async for row in rows:
                        yield row
        finally:
            if self._own_engines:
                await self._engines.close()

    async def _stream_and_close(self) -> AsyncGenerator[Row]:
        try:
            async with aclosing(self.stream()) as rows:
                async for row in rows:
                    yield row
        finally:
            await self._engines.close()

    def export(self, folder: Path | str | None = None) -> ExportResult:
        """Write the training files of all finished rows; see `cai.store.export`.

        Raises:
            StoreError: there is no such run yet, or the files cannot be written.
        """
        from cai.store.export import export

        output: OutputConfig = self.config.output
        with RunStore.read(self.folder) as store:
            return export(
                store, Path(folder) if folder else None, formats=output.formats, sft=output.sft
            )

    async def _rows(
        self, store: RunStore, plan: Plan, epoch: int, start: int
    ) -> AsyncGenerator[Row]:
        progress = self.progress
        config = own_share(self.config, self.shard)
        callers = open_callers(self._engines, config, store, progress.meter)
        judging = self._engines.judging
        desk = Desk(
            plan=plan,
            policy=callers[id(self._engines.policy)],
            critic=callers[id(self._engines.critic)],
            judge=open_jury(
                plan,
                {role: callers[id(one)] for role, one in judging.items()},
                secret=quoting_secret(store, Path(config.run), config.judge, self.shard),
            ),
        )

        async def work(prompt: Prompt) -> Row:
            row = await Walk(desk, prompt).run()
            await store.put_row(row)
            return row

        progress.started = time.monotonic()
        progress.total = self.source.total // (self.shard.count if self.shard else 1)
        try:
            todo = self._todo(store, plan, epoch, start)
            async with aclosing(in_work(todo, work, prompts_in_work(self.config))) as rows:
                async for row in rows:
                    progress.done += not row.failed
                    progress.failed += row.failed
                    if row.failed:
                        progress.reasons[row.error] += 1
                    yield row
            if self.shard:
                # Only a whole pass knows how many different prompts fall to a shard.
                progress.total = progress.finished
                store.set_meta(finished=[plan.asked, self.config.prompts.limit])
        finally:
            for caller in callers.values():
                await caller.close()
            store.set_meta(seconds=(store.meta("seconds") or 0.0) + progress.seconds)

    async def _todo(
        self, store: RunStore, plan: Plan, epoch: int, start: int
    ) -> AsyncIterator[Prompt]:
        """Admit prompts in the order of the file and yield those without a finished row."""
        settings = (self.config.split, self.shard)
        async for admitted in admissions(self.source, store, *settings, epoch, start):
            if admitted.repeated:
                self.progress.repeated += 1
            elif _finished(admitted, plan):
                self.progress.before += 1
            else:
                yield admitted.prompt

    def _begin(self, store: RunStore, plan: Plan) -> tuple[int, int]:
        """Compare with what the store holds, then write down what is asked now.

        Returns:
            The epoch of the prompt file and the number of this start.
        """
        from cai.constitution.lock import write_lock

        before = store.meta("asked")
        changed = changed_keys(before, plan.asked) if before is not None else ()
        if fixed := tuple(key for key in changed if key.startswith("split.")):
            raise ChangedRunError(
                f"The run {self.folder} was split with other settings ({', '.join(fixed)}). A "
                "split is never changed once it is stored, or training rows would become held-out "
                "ones. Set the old values again, or choose a new folder: `run:` in the config.",
                fixed,
            )
        if changed and not self._update:
            raise ChangedRunError(_changed_message(self.folder, before, plan, changed), changed)
        epoch = (store.meta("epoch") or 0) + ("prompts" in changed)
        start = (store.meta("start") or 0) + 1
        shard = {"shard": str(self.shard)} if self.shard else {}
        store.set_meta(**_facts(self, plan), **shard, epoch=epoch, start=start)
        if self._named:
            write_lock(self.config.constitution, self.constitution, Path(self.config.run))
        if before is None:
            store.set_meta(created=datetime.now(UTC).isoformat(timespec="seconds"))
        return epoch, start


def _finished(admitted: Admitted, plan: Plan) -> bool:
    return admitted.plan == plan.hash and admitted.status == "done"


def _facts(run: Generation, plan: Plan) -> dict[str, Any]:
    from cai import __version__

    constitution, engines = run.constitution, plan.asked
    return {
        "toolkit": __version__,
        "config": run.config.model_dump(mode="json"),
        "asked": plan.asked,
        "plan": plan.hash,
        "constitution": {
            **constitution.model_dump(mode="json"),
            "hash": constitution.hash,
        },
        "templates": {
            stage: {"name": t.name, "version": t.version, "hash": t.hash}
            for stage, t in plan.templates.items()
        },
        "fingerprints": {
            role: engines[f"models.{role}.fingerprint"]
            for role in dict.fromkeys(("policy", "critic", "judge", *plan.judges))
        },
        "prompts": run.source.facts(),
    }


def _changed_message(folder: Path, before: Any, plan: Plan, changed: tuple[str, ...]) -> str:
    lines = [
        f"  {key}: {_short(before.get(key))} → {_short(plan.asked.get(key))}" for key in changed
    ]
    advice = (
        "Go on with --update: answers that are still asked for stay valid, only the others are "
        "asked anew; 'cai plan' says which and what they cost. Or keep the old run and choose a "
        "new folder: `run:` in the config."
    )
    return "\n".join([f"The run {folder} asked something else before. Changed:", *lines, advice])


def _short(value: Any) -> str:
    text = "(absent)" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:12]}…"
