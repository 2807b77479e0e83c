"""`cai generate`: the main job."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from cai.config import Config
    from cai.loop import Progress

__all__ = ["EngineName", "Executor", "generate"]


class EngineName(StrEnum):
    """Engines that `--engine` can name."""

    transformers = "transformers"
    vllm = "vllm"
    openai = "openai"
    scripted = "scripted"


class Executor(StrEnum):
    """Where a run is carried out."""

    local = "local"
    ray = "ray"


def generate(
    config: Annotated[Path, typer.Argument(help="The config file, for example cai.yaml.")],
    run: Annotated[
        Path | None, typer.Option(help="Folder of the run, in place of the config's.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="Prompt file, or 'starter', in place of the config's.")
    ] = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a trained model that answers the prompts; the critic and the judge "
            "stay those of the config."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Use only the first so many prompts.")
    ] = None,
    engine: Annotated[
        EngineName | None,
        typer.Option(help="Engine of all models; 'scripted' tries a config without a model."),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Most calls under way at once, over all models.")
    ] = None,
    budget_usd: Annotated[
        float | None,
        typer.Option(min=0.0, help="Stop before the run has cost more dollars than this."),
    ] = None,
    budget_tokens: Annotated[
        int | None,
        typer.Option(min=1, help="Stop before the run has used more tokens than this."),
    ] = None,
    update: Annotated[
        bool,
        typer.Option(
            "--update",
            help="Go on although the config asks something else than the stored run; answers "
            "that are still asked for stay valid. 'cai plan' says beforehand what it takes.",
        ),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N", help="Work on part I of N of the prompts only; then 'cai merge'."
        ),
    ] = None,
    executor: Annotated[
        Executor, typer.Option(help="'ray' spreads the run over workers, then merges it.")
    ] = Executor.local,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Ray: processes with an engine each; 2 when absent.")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="Ray: a cluster; one on this machine when absent.")
    ] = None,
    gpus_per_worker: Annotated[
        float | None, typer.Option(min=0.0, help="Ray: GPUs for each worker; none when absent.")
    ] = None,
) -> None:
    """Turn prompts into revisions and judged preference pairs.

    Start the same command again to go on after a stop: nothing that was answered is asked again.

    Example: cai generate cai.yaml --limit 20
    """
    from cai.cli.compared import announce
    from cai.cli.running import carry_out, print_result
    from cai.cli.scaling import carry_out_on_ray, carry_out_shard
    from cai.cli.settings import load_settings
    from cai.config.policy import with_policy
    from cai.loop import Generation
    from cai.store.shard import Shard

    settings = load_settings(
        config,
        run=run,
        prompts=prompts,
        limit=limit,
        budget_usd=budget_usd,
        budget_tokens=budget_tokens,
        concurrency=concurrency,
    )
    if policy is not None:
        settings = with_policy(settings, policy)
    if engine is not None:
        settings = _with_engine(settings, engine.value)
    warn(settings)
    scaling = {"workers": workers, "ray_address": ray_address, "gpus_per_worker": gpus_per_worker}
    _require_fit(shard, executor, scaling)
    if executor is Executor.ray:
        carry_out_on_ray(
            settings,
            update=update,
            workers=workers or 2,
            address=ray_address,
            gpus=gpus_per_worker or 0.0,
        )
    elif shard is not None:
        carry_out_shard(Generation(settings, update=update, shard=Shard.parse(shard)))
    else:
        if update:
            announce(settings)
        generation = Generation(settings, update=update)
        print_result(generation, carry_out(generation))
        if update:
            _print_asked(generation.progress)


def warn(config: Config) -> None:
    """Say once, on standard error, what a run is likely to regret."""
    from cai.cli.output import error_console
    from cai.loop.judging import self_preference

    if config.loop.asks_judge and (text := self_preference(config.models)):
        error_console().print(f"Warning: {text}", markup=False, highlight=False, soft_wrap=True)


def _print_asked(progress: Progress) -> None:
    """Say what an update has asked, and what it had from memory."""
    from cai.cli.tables import print_text

    meter = progress.meter
    print_text(f"Asked {meter.asked:,} calls; {meter.remembered:,} answers came from memory.")


def _require_fit(shard: str | None, executor: Executor, scaling: dict[str, Any]) -> None:
    """Refuse options that would do nothing, or that contradict each other."""
    from cai.errors import UsageError

    given = [f"--{name.replace('_', '-')}" for name, value in scaling.items() if value is not None]
    if executor is not Executor.ray and given:
        raise UsageError(
            f"{', '.join(given)}: only with --executor ray. Add it, or leave "
            f"{'it' if len(given) == 1 else 'them'} out."
        )
    if executor is Executor.ray and shard is not None:
        raise UsageError(
            "--shard and --executor ray: got both. Ray makes its own shards; choose one of them."
        )


def _with_engine(config: Config, engine: str) -> Config:
    """The config with one engine for all roles that it names."""
    models = config.models.over(lambda model: model.model_copy(update={"engine": engine}))
    return config.model_copy(update={"models": models})
