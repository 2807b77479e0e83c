"""A bridge to EleutherAI's lm-evaluation-harness (`lm-eval`): running it, and reading its results.

What `lm_eval.simple_evaluate` returns and what its command writes have the same layout: `results`
holds for each task values under `metric,filter` and standard errors under `metric_stderr,filter`
(`N/A` where it has none). Its results carry no answers to single questions that could be paired, so
a difference has the standard error √(s₁² + s₂²), which is too wide for the same questions: it finds
fewer losses than are there, and none that are not.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

import orjson

from cai.errors import ConfigError, MissingExtraError, UsageError
from cai.evaluate.results import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cai.evaluate.records import Subject

__all__ = ["harness_figures", "read_harness", "require_harness", "run_harness", "write_harness"]

_Z = NormalDist().inv_cdf(0.975)
_SHARES = frozenset({"acc", "acc_norm", "exact_match", "mc1", "mc2", "f1", "pass@1"})
"""Metrics from 0 to 1; `…_acc` is one, too. Others, such as perplexity or BLEU, are scores."""

_KEPT = ("results", "groups", "versions", "n-shot", "higher_is_better", "n-samples")
"""Keys of lm-eval's results that are plain data; `configs` may hold functions."""


def require_harness(subjects: Sequence[Subject]) -> None:
    """Refuse to begin where lm-eval is missing, or a subject is not in this process.

    Raises:
        MissingExtraError: lm-eval is not installed.
        UsageError: a subject is asked over the network or is a script.
    """
    for one in subjects:
        if one.model.engine not in ("transformers", "vllm"):
            raise UsageError(
                f"--lm-eval: subject '{one.name}' has the engine '{one.model.engine}'. Allowed are "
                "models on this machine: a folder, the embedded model or a hub name. For others, "
                "run lm_eval against the server and give its file with --lm-eval-results."
            )
        if one.model.vllm.adapter is not None:
            raise UsageError(
                f"--lm-eval: subject '{one.name}' has an adapter beside the model. Name the folder "
                "of the adapter itself, which is then folded into its model."
            )
    try:
        import lm_eval  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError("--lm-eval", "lm-eval") from error


def run_harness(
    subject: Subject, tasks: Sequence[str], *, limit: int | None = None
) -> dict[str, Any]:
    """Run tasks of lm-eval on a model of this machine with its `hf` model.

    Args:
        subject: with the engine `transformers` or `vllm`; see `require_harness`.
        tasks: names as lm-eval knows them; their data comes from the hub.
        limit: only so many questions of each task.

    Returns:
        What lm-eval returns, without its samples.

    Raises:
        UsageError: lm-eval does not know a task, or another process holds the results.
    """
    import lm_eval

    try:
        found = lm_eval.simple_evaluate(
            model="hf",
            model_args=_model_args(subject),
            tasks=list(tasks),
            device=None if subject.model.device == "auto" else subject.model.device,
            limit=limit,
            log_samples=False,
        )
    except (KeyError, ValueError) as error:
        raise UsageError(
            f"--lm-eval {','.join(tasks)}: lm-eval stopped: {error}. Its command "
            "'lm_eval ls tasks' lists the tasks that it knows."
        ) from error
    if found is None:
        raise UsageError(
            "--lm-eval: lm-eval gives results to the first of several processes only. Run cai in "
            "one process."
        )
    return dict(found)


def read_harness(path: Path) -> dict[str, Any]:
    """Read a file `results_….json` that lm-eval wrote.

    Raises:
        ConfigError: it cannot be read or is no such file.
    """
    try:
        found = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}. Name a file results_….json that lm-eval "
            "wrote with --output_path."
        ) from error
    except orjson.JSONDecodeError as error:
        raise ConfigError(
            f"{path} is no JSON: {error}. Name a file results_….json that lm-eval wrote with "
            "--output_path."
        ) from error
    if not isinstance(found, dict) or not isinstance(found.get("results"), dict):
        raise ConfigError(
            f"{path} has no key 'results' with tasks. Name a file results_….json that lm-eval "
            "wrote, and not one of its samples."
        )
    return found


def write_harness(found: Mapping[str, Any], path: Path) -> Path:
    """Keep what `run_harness` gave in a file that `read_harness` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {key: found[key] for key in _KEPT if key in found}
    # Task names and metrics are text; numpy's numbers come from lm-eval's own means.
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    path.write_bytes(orjson.dumps(kept, option=options))
    return path


def harness_figures(found: Mapping[str, Mapping[str, Any]], before: str | None) -> list[Figure]:
    """Figures of each subject, and differences where both have a metric.

    Args:
        found: results of lm-eval by subject.
        before: the subject that the others are compared with; None compares nothing.
    """
    figures = {subject: _figures(subject, result) for subject, result in found.items()}
    flat = [one for own in figures.values() for one in own.values()]
    if before not in figures:
        return flat
    for subject, own in figures.items():
        if subject != before:
            flat += [
                _difference(one, figures[before][key])
                for key, one in own.items()
                if key in figures[before]
            ]
    return flat


def _figures(subject: str, result: Mapping[str, Any]) -> dict[tuple[str, str], Figure]:
    figures = {}
    for task, metrics in result["results"].items():
        for key, value in metrics.items() if isinstance(metrics, dict) else ():
            metric, comma, kept = str(key).partition(",")
            if not comma or metric.endswith("_stderr") or not _is_number(value):
                continue
            name = metric if kept == "none" else f"{metric} ({kept})"
            error = metrics.get(f"{metric}_stderr,{kept}")
            figures[task, name] = _figure(subject, str(task), name, metric, value, error, result)
    return figures


def _figure(
    subject: str,
    task: str,
    name: str,
    metric: str,
    value: float,
    error: Any,
    result: Mapping[str, Any],
) -> Figure:
    share = (metric in _SHARES or metric.endswith("_acc")) and 0 <= value <= 1
    higher = _under(result, "higher_is_better", task).get(metric)
    count = _under(result, "n-samples", task).get("effective")
    low = high = None
    if _is_number(error):
        # The intervals are symmetric, as lm-eval gives standard errors alone.
        low, high = value - _Z * error, value + _Z * error
    return Figure(
        name,
        subject,
        float(value),
        low,
        high,
        n=count if isinstance(count, int) else 0,
        group=f"lm-eval/{task}",
        unit="share" if share else "score",
        better=_direction(higher, share=share),
    )


def _direction(higher: Any, *, share: bool) -> Literal["higher", "lower", ""]:
    """Which direction is good; files of older releases do not say so, and shares go up."""
    if higher is None:
        return "higher" if share else ""
    return "higher" if higher else "lower"


def _difference(after: Figure, before: Figure) -> Figure:
    unit: Any = "points" if after.unit == before.unit == "share" else "score"
    same: dict[str, Any] = {
        "group": after.group,
        "against": before.subject,
        "unit": unit,
        "better": after.better,
        "n": min(after.n, before.n),
    }
    name = f"{after.name}, difference"
    if after.value is None or before.value is None or after.low is None or before.low is None:
        reason = "not measurable: lm-eval gives no standard error"
        return Figure(name, after.subject, None, unmeasured=reason, **same)
    gap = after.value - before.value
    half = math.hypot(after.value - after.low, before.value - before.low)
    return Figure(name, after.subject, gap, gap - half, gap + half, **same)


def _under(result: Mapping[str, Any], key: str, task: str) -> Mapping[str, Any]:
    section = result.get(key)
    found = section.get(task) if isinstance(section, dict) else None
    return found if isinstance(found, dict) else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _model_args(subject: Subject) -> dict[str, Any]:
    from cai.engines.embedded import EMBEDDED_MODEL, ensure_model

    model = subject.model
    name = str(ensure_model()) if model.model == EMBEDDED_MODEL else model.model
    args: dict[str, Any] = {
        "pretrained": name,
        "dtype": model.dtype,
        "trust_remote_code": model.trust_remote_code,
    }
    if model.revision:
        args["revision"] = model.revision
    return args
