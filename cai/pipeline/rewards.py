"""The judges that rewards of a training ask: which they are, and what they have cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from cai.config import asked, load_config
from cai.constitution import load_constitution
from cai.constitution.atomic import write_atomically
from cai.constitution.lock import resolve_locked
from cai.constitution.refs import is_path
from cai.hashing import content_hash
from cai.pipeline.generating import spent
from cai.pipeline.identity import role_identity
from cai.templates import load_template
from cai.train.rewards.judging import reward_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cai.config import Config
    from cai.pipeline.desk import Desk
    from cai.train.settings import RewardConfig, TrainConfig

__all__ = ["asked_before", "asked_so_far", "judges", "rewards_of", "write_own_config"]

_TEMPLATES = {"constitution": "expected", "propositions": "proposition"}
"""What a judge is shown, by the kind of the reward."""


def rewards_of(config: TrainConfig) -> Iterator[RewardConfig]:
    """All that score answers while a policy is trained: rewards, and those of the watch."""
    yield from config.rewards
    yield from config.watch.gold
    if config.watch.refusal is not None:
        yield config.watch.refusal


def judges(desk: Desk, config: TrainConfig, number: int) -> list[list[str]]:
    """Names what each reward asks, and how; nothing for rewards that ask no judge.

    A config counts by what a score depends on: a change elsewhere in the file changes nothing.

    Args:
        desk: the pipeline.
        config: of the training.
        number: of the round.

    Raises:
        ConfigError: a config, constitution or template cannot be used.
    """
    return [
        [] if one.config is None else _judge(_config_of(desk, one.config, number), one.kind)
        for one in rewards_of(config)
    ]


def write_own_config(desk: Desk, number: int) -> None:
    """Write what `made:config` means: the config of the run, with the constitution it has pinned.

    Raises:
        ChangedRunError: the pinned version means something else by now.
    """
    plain = _own_config(desk, number).model_dump(mode="json", exclude={"pipeline"})
    path = desk.own_config(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    # JSON is YAML, too.
    write_atomically(path, orjson.dumps(plain, option=orjson.OPT_INDENT_2).decode())


def asked_so_far(config: TrainConfig) -> tuple[int, float | None]:
    """Calls and dollars of all stores in which judges of rewards keep their answers.

    Dollars are None where a call has no known price.
    """
    configs = {one.config for one in rewards_of(config) if one.config is not None}
    folders = {reward_folder(load_config(path)) for path in configs}
    found = [spent(folder) for folder in sorted(folders) if (folder / "run.db").is_file()]
    dollars = [usd for _, usd in found]
    known = None if None in dollars else sum(usd or 0.0 for usd in dollars)
    return sum(calls for calls, _ in found), known


def asked_before(config: TrainConfig, path: Path, *, again: bool) -> tuple[int, float | None]:
    """The same from before a training began, which may have been in an earlier process.

    Args:
        config: of the training.
        path: file that keeps it.
        again: the training goes on.
    """
    if again and path.is_file():
        calls, usd = orjson.loads(path.read_bytes())
        return calls, usd
    found = asked_so_far(config)
    write_atomically(path, orjson.dumps(found).decode())
    return found


def _own_config(desk: Desk, number: int) -> Config:
    """The config of a round's run as a judge takes it, wherever it is started from."""
    config, run = desk.round_config(number), desk.run(number)
    ref = config.constitution
    pinned = ref if is_path(ref) else resolve_locked(ref, run).label
    return config.model_copy(update={"run": str(run.absolute()), "constitution": pinned})


def _config_of(desk: Desk, path: str, number: int) -> Config:
    own = Path(path) == desk.own_config(number)
    return _own_config(desk, number) if own else load_config(path)


def _judge(config: Config, kind: str) -> list[str]:
    judge = config.models.judge or config.models.critic or config.models.policy
    folder = config.templates.folder
    shown = load_template("score", _TEMPLATES[kind], Path(folder) if folder else None)
    return [
        load_constitution(config.constitution).hash,
        role_identity(judge),
        content_hash([asked(config.judge), config.loop.seed, shown.hash]),
    ]
