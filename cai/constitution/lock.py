"""Which constitution a run uses: pinned when it begins, so that a newer release changes no run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from cai.constitution.atomic import write_atomically
from cai.constitution.load import find_constitution, load_constitution
from cai.constitution.principle import Model
from cai.constitution.refs import admits, is_path
from cai.constitution.sources import sources
from cai.constitution.write import as_yaml
from cai.errors import ChangedRunError, ConfigError
from cai.wording import listed
from cai.yaml import parse_model, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from cai.constitution.models import Constitution

__all__ = ["FILE", "Lock", "LockedFile", "read_lock", "resolve_locked", "write_lock"]

FILE = "constitution.lock.yaml"
_HEAD = """\
# The constitution that this run uses. It stays so when a newer version is released; to take that,
# start the run again with --update, which writes this file anew."""

_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class LockedFile(Model):
    """A file that the constitution is made of."""

    kind: Literal["constitution", "parent", "family"]
    name: str
    """`name@version`, or the name of a family."""
    sha256: _Sha256
    """Of its bytes."""


class Lock(Model):
    """A file `RUN/constitution.lock.yaml`."""

    format: Literal[1]
    ref: str
    """As the config or the command line names the constitution."""
    name: str
    version: str
    hash: _Sha256
    """See `Constitution.hash`."""
    files: tuple[LockedFile, ...]
    """Its own file, those of its parents, and families."""

    @property
    def label(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


def resolve_locked(
    ref: str, run: Path, *, update: bool = False, root: Path | None = None
) -> Constitution:
    """Load the constitution of a run.

    Without a lock, or with `update`, it is what `load_constitution` takes now. With a lock:

    - a name, range, version or hash that allows the locked version means that version;
    - a path means its file, which must mean the same as when it was locked;
    - for anything else, such as a range that excludes the locked version, it is what
      `load_constitution` takes now. The store then finds that the run asks something else.

    Args:
        ref: see `load_constitution`.
        run: its folder, which need not exist.
        update: take the newest again. Call `write_lock` once the run has begun.
        root: the folder of constitutions that names refer to; the packaged one by default.

    Raises:
        ChangedRunError: the locked version means something else by now, or is gone; the message
            names the files that differ.
        ConfigError: see `load_constitution`; or the lock cannot be read.
    """
    lock = None if update else read_lock(run)
    if lock is None:
        return load_constitution(ref, root=root)
    if is_path(ref):
        loaded, pinned = load_constitution(ref, root=root), ref
    elif ref == lock.ref or admits(ref, lock.name, lock.version):
        loaded, pinned = _pinned(run, lock, root), lock.label
    else:
        return load_constitution(ref, root=root)
    if loaded.label == lock.label and loaded.hash != lock.hash:
        different = {f"{file.kind} {file.name}" for file in {*lock.files} ^ {*_files(pinned, root)}}
        raise _changed(
            run,
            lock,
            f"it means something else by now (hash {loaded.hash[:12]}). Different: "
            f"{listed(sorted(different))}.",
        )
    return loaded


def write_lock(
    ref: str, constitution: Constitution, run: Path, *, root: Path | None = None
) -> None:
    """Pin the constitution of a run, in place of what was pinned before.

    Args:
        ref: as the config names it.
        constitution: what it was resolved to.
        run: the folder of the run; it is made where there is none.
        root: see `resolve_locked`.

    Raises:
        ConfigError: a file of the constitution cannot be read.
        UsageError: the lock cannot be written.
    """
    exact = ref if is_path(ref) else constitution.label
    lock = Lock(
        format=1,
        ref=ref,
        name=constitution.name,
        version=constitution.version,
        hash=constitution.hash,
        files=_files(exact, root),
    )
    try:
        if read_lock(run) == lock:
            return
    except ConfigError:
        # One that cannot be read is replaced: what it should say is known.
        pass
    write_atomically(run / FILE, as_yaml(lock.model_dump(mode="json"), _HEAD))


def read_lock(run: Path) -> Lock | None:
    """The lock of a run; None when it has none.

    Raises:
        ConfigError: it does not fit the format.
    """
    path = run / FILE
    if not path.exists():
        return None
    try:
        return parse_model(Lock, read_yaml(path), path)
    except ConfigError as error:
        raise ConfigError(
            f"{error}\nThe lock of a run cannot be read. Start the run again with --update, which "
            "writes it anew."
        ) from error


def _pinned(run: Path, lock: Lock, root: Path | None) -> Constitution:
    try:
        return load_constitution(lock.label, root=root)
    except ConfigError as error:
        raise _changed(run, lock, f"it cannot be loaded any more: {error}") from error


def _files(ref: str, root: Path | None) -> tuple[LockedFile, ...]:
    found = sources(find_constitution(ref, root=root), root=root)
    return tuple(LockedFile(kind=s.kind, name=s.name, sha256=s.sha256) for s in found)


def _changed(run: Path, lock: Lock, what: str) -> ChangedRunError:
    return ChangedRunError(
        f"The run {run} is pinned to {lock.label} (hash {lock.hash[:12]}) by {FILE}, and {what} "
        "Bring the files back, or accept what there is now with --update: what is not affected is "
        "kept, and the rest is asked again.",
        ("constitution",),
    )
