"""What an import was asked; a folder keeps it, so that the next file is sorted in the same way."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from cai.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.store import RunStore

__all__ = ["Settings"]

_KEY = "feedback"


@dataclass(frozen=True, slots=True)
class Settings:
    """How rows are sorted.

    Args:
        per_user: most thumbs and edits of one user that are trained on.
        per_session: the same of one session.
        keep_personal: train on rows with personal data, too.
        need_consent: leave out rows that do not say `consent: true`.
        constitution: under which people review what is queued.
    """

    per_user: int = 20
    per_session: int = 5
    keep_personal: bool = False
    need_consent: bool = False
    constitution: str = "harmless-helpful"

    def __post_init__(self) -> None:
        """Refuse caps that let nothing through.

        Raises:
            UsageError: a cap is below 1.
        """
        for name in ("per_user", "per_session"):
            if getattr(self, name) < 1:
                raise UsageError(
                    f"{name}: got {getattr(self, name)}. Allowed: 1 or more. To leave somebody "
                    "out, remove their rows from the file."
                )

    @classmethod
    def of(cls, store: RunStore) -> Settings:
        """Those of the last import, or the defaults."""
        return cls(**(store.meta(_KEY) or {}))

    def changed(self, given: Mapping[str, Any]) -> Settings:
        """With values in place of those that are not None."""
        return replace(self, **{key: value for key, value in given.items() if value is not None})

    def keep(self, store: RunStore) -> None:
        """Store them for the next import."""
        store.set_meta(**{_KEY: asdict(self)})
