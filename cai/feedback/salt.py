"""Names of users and sessions become keyed hashes before anything else sees them."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING

from cai.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Salt"]

_BYTES = 32
_DIGITS = 20


class Salt:
    """Turns a name into 20 hexadecimal digits (80 bits) of an HMAC-SHA256.

    A plain hash of a user's name can be found again by hashing all names; without the salt this
    cannot. The salt is a file that only its owner can read. Whoever deletes it cuts the last tie
    between the rows and the people.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def of(cls, path: Path) -> Salt:
        """Read the salt, or make one where there is none.

        Raises:
            StoreError: the file cannot be read or written, or is too short.
        """
        try:
            try:
                secret = path.read_bytes()
            except FileNotFoundError:
                secret = _made(path)
        except OSError as error:
            raise StoreError(
                f"Cannot use the salt {path}: {error.strerror}. Allowed: a file that you may read, "
                "or none, and one is made. Check its permissions."
            ) from error
        if len(secret) < _BYTES:
            raise StoreError(
                f"The salt {path} has {len(secret)} bytes. Allowed: {_BYTES} or more random ones. "
                f"Make one: head -c {_BYTES} /dev/urandom > {path}"
            )
        return cls(secret)

    def hashed(self, what: str, name: str) -> str:
        """The hash of a name.

        Args:
            what: `user` or `session`, so that the same word gives two different hashes.
            name: as the deployment has it.
        """
        text = f"{what}\0{name}".encode()
        return hmac.new(self._secret, text, hashlib.sha256).hexdigest()[:_DIGITS]


def _made(path: Path) -> bytes:
    """A new salt, whole or not at all: a killed process must not leave half of one."""
    secret = secrets.token_bytes(_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, secret)
        os.fsync(handle)
    finally:
        os.close(handle)
    beside.replace(path)
    return secret
