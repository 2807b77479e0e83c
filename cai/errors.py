"""Every error the toolkit raises on purpose.

```
CaiError                    something the user can act on; the CLI prints it and exits with 1
├── UsageError              wrong command line, config or content; the CLI exits with 2
│   ├── ConfigError         a config file or a constitution that cannot be used
│   └── InputError          a prompt file or row that cannot be read
├── MissingExtraError       an optional dependency is not installed
├── StoreError              a run store cannot be opened, written or trusted
│   └── ChangedRunError     the run exists and what it asks has changed
├── BudgetError             the run has used up its budget; raise it to go on
├── GateError               AI labels that people have not validated
├── QualityError            a quality check found what must not be there
├── TrainingError           a training cannot begin or go on
├── SplitError              someone tried to read rows of a split that is closed to them
└── EngineError             a model could not answer
    ├── TransientEngineError  worth asking again later (time-out, 429, 5xx)
    ├── RowEngineError        this request can never be answered; the row is recorded as failed
    └── FatalEngineError      no request can be answered (bad key, unknown model); the run stops
```

A message names three things: what was got, what is allowed, and how to fix it.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BudgetError",
    "CaiError",
    "ChangedRunError",
    "ConfigError",
    "EngineError",
    "FatalEngineError",
    "GateError",
    "InputError",
    "MissingExtraError",
    "QualityError",
    "RowEngineError",
    "SplitError",
    "StoreError",
    "TrainingError",
    "TransientEngineError",
    "TransientKind",
    "UsageError",
    "nearest",
]

TransientKind = Literal["busy", "unreachable", "lost", "timeout", "server"]


class CaiError(Exception):
    """Base of all errors that a user can act on."""

    exit_code = 1


class UsageError(CaiError):
    """The command line, a config or a content file is wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """A config or constitution file cannot be used as it is."""


class InputError(UsageError):
    """A prompt file, or one of its rows, cannot be read."""


class MissingExtraError(CaiError):
    """A feature needs an optional dependency that is not installed."""

    def __init__(self, feature: str, extra: str, advice: str = "") -> None:
        super().__init__(
            f"{feature} needs packages that are not installed. "
            f"Install them with: pip install 'constitutional-ai[{extra}]'{advice}"
        )


class StoreError(CaiError):
    """A run store cannot be opened, written or trusted."""


class ChangedRunError(StoreError):
    """The stored run asked something else; `keys` names what changed."""

    exit_code = 2

    def __init__(self, message: str, keys: tuple[str, ...]) -> None:
        super().__init__(message)
        self.keys = keys


class SplitError(CaiError):
    """Rows of this split are closed to the caller (for example held-out rows to a trainer)."""


class GateError(CaiError):
    """AI labels may not be trained on before people have validated them."""


class QualityError(CaiError):
    """A quality check that is to stop a pipeline has found something."""


class TrainingError(CaiError):
    """A training cannot begin or go on."""


class BudgetError(CaiError):
    """The run has used up its budget. What was answered is kept; a raised budget goes on."""


class EngineError(CaiError):
    """A model could not answer."""


class TransientEngineError(EngineError):
    """The same request may succeed later.

    `retry_after` is in seconds, when the server said it. `kind` says how far the request came:
    `busy` was turned away, `unreachable` never arrived, `lost` and `timeout` were sent and may have
    been worked on (and billed), `server` failed there.
    """

    def __init__(
        self, message: str, retry_after: float | None = None, kind: TransientKind = "server"
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.kind: TransientKind = kind


class RowEngineError(EngineError):
    """This request can never be answered; only its row is lost."""


class FatalEngineError(EngineError):
    """No request to this engine can be answered; the run stops before it spends more."""


def nearest(got: str, allowed: Iterable[str]) -> str:
    """Return `" Did you mean 'x'?"` for the closest allowed word, or an empty string."""
    close = get_close_matches(got, list(allowed), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""
