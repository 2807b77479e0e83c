"""The secret of a run, and what is derived from it: personal links, cookies, tokens, tickets.

Nothing of it is kept anywhere else, so links and open pages outlive a restart of the server.
"""

from __future__ import annotations

import hmac
import os
import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from cai.errors import StoreError
from cai.hashing import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cai.validation.records import Annotator, Role

__all__ = ["Keys", "same"]

_FILE = "review.key"
_BYTES = 32


class Keys:
    """What can be signed with the secret of a run."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def of(cls, folder: Path) -> Keys:
        """The keys of a run; its secret is created the first time, for the owner's eyes alone.

        Raises:
            StoreError: the file of the secret is damaged.
        """
        path = folder / _FILE
        if not path.exists():
            _create(path)
        try:
            secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except ValueError:
            secret = b""
        if len(secret) != _BYTES:
            raise StoreError(
                f"{path} is damaged: it should hold {2 * _BYTES} hexadecimal digits. Delete it; "
                "annotators then need new links, and their labels stay."
            )
        return cls(secret)

    @property
    def cookie_name(self) -> str:
        """Differs from run to run: browsers share cookies among all ports of a machine."""
        return f"cai-review-{self._sign('cookie name')[:8]}"

    @property
    def token(self) -> str:
        """Opens the sign-in page of a server that others can reach."""
        return self._sign("token")

    def link(self, annotator: Annotator) -> str:
        """The last part of an annotator's personal link."""
        return self._sign("link", annotator.id)

    def cookie(self, annotator: Annotator) -> str:
        """What the browser of an annotator who is signed in holds."""
        return f"{annotator.id}.{self._sign('session', annotator.id)}"

    def linked(self, key: str, annotators: Iterable[Annotator]) -> Annotator | None:
        """Whose personal link ends with `key`."""
        return next((a for a in annotators if same(self.link(a), key)), None)

    def signed_in(self, cookie: str, annotators: Iterable[Annotator]) -> Annotator | None:
        """Whose cookie this is."""
        return next((a for a in annotators if same(self.cookie(a), cookie)), None)

    def ticket(self, role: Role, annotator_id: str, item_id: str, swapped: bool) -> str:
        """Proves that an item was shown to someone, and in which order, without telling it."""
        return self._sign("ticket", role, annotator_id, item_id, "ba" if swapped else "ab")

    def _sign(self, purpose: str, *parts: str) -> str:
        digest = hmac.new(self._secret, canonical_json([purpose, *parts]), sha256).digest()
        # A leading "-" would make a key hard to select and to pass to programs.
        return "k" + urlsafe_b64encode(digest).decode().rstrip("=")


def same(one: str, other: str) -> bool:
    """Compare without telling by the time taken how much of it was right."""
    return hmac.compare_digest(one.encode(), other.encode())


def _create(path: Path) -> None:
    # Written beside and moved, so that a crash leaves either no file or a whole one.
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{secrets.token_hex(_BYTES)}\n")
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
