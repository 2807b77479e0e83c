"""The stage `generate`: prompts in, judged pairs and exports out. Resumed by its store."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from cai.errors import EngineError
from cai.hashing import content_hash
from cai.loop import make_plan
from cai.loop.fingerprints import named_engines
from cai.pipeline.identity import role_identity
from cai.pipeline.stages import Done
from cai.store import RunStore
from cai.wording import counted

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from cai.pipeline.desk import Desk
    from cai.pipeline.stages import Begun, Stage

__all__ = ["carry_out", "inputs", "spent", "unfinished"]


def inputs(desk: Desk, stage: Stage) -> dict[str, str]:
    """Hashes of what the run asks, by section of the config, and of what is exported.

    Raises:
        UsageError: config, constitution, templates or prompts cannot be used.
    """
    config = desk.round_config(stage.round)
    names = {role: role_identity(model) for role, model in config.models.roles.items()}
    engines = named_engines(names)
    run, _ = desk.asks_something_else(stage.round, engines)
    plan = make_plan(config, run.constitution, run.templates, engines, run.source.hash)
    parts: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, value in plan.asked.items():
        parts[key.partition(".")[0]][key] = value
    parts["prompts"]["prompts.limit"] = config.prompts.limit
    parts["output"] = config.output.model_dump(mode="json")
    return {name: content_hash(values) for name, values in parts.items()}


def unfinished(desk: Desk, stage: Stage) -> str:
    """Why a generation is to go on although nothing has changed; empty where it need not."""
    folder = desk.run(stage.round)
    if not (folder / "run.db").is_file():
        return "run.db is gone"
    with RunStore.read(folder) as store:
        failed = sum(n for (_, status), n in store.row_counts().items() if status == "failed")
    return f"{counted(failed, 'row')} failed, and is tried again" if failed else ""


def carry_out(desk: Desk, stage: Stage, begun: Begun) -> Done:
    """Ask what is not answered yet, and write the exports.

    Raises:
        CaiError: as `Generation`, its `stream` and `export`.
        EngineError: every row failed.
    """
    del begun
    run = desk.generation(stage.round)
    desk.watcher.generate(run)
    result = run.export()
    rows, failed = result.summary.rows, run.progress.failed
    said = f"{counted(rows, 'row')}, {counted(failed, 'row')} failed"
    if failed:
        ((reason, times),) = run.progress.reasons.most_common(1)
        said += f"; commonest ({times:,} of {failed:,}): {reason}"
    if failed and not rows:
        raise EngineError(
            f"There is nothing to go on with: {said}. Mend that, and start the same command again: "
            "failed rows are tried again."
        )
    files = tuple(result.folder / file.name for file in result.files)
    return Done((*files, result.folder / "manifest.json"), *spent(run.folder), said=said)


def spent(folder: Path) -> tuple[int, float | None]:
    """Answered calls of a store, and what they cost; None where a price is not known."""
    with RunStore.read(folder) as store:
        bill = store.spent()
        return sum(total.calls for total in store.totals()), (
            None if bill.unpriced_calls else bill.usd
        )
