"""Arrays that lie in a temporary file, so that memory does not grow with the texts."""

from __future__ import annotations

import tempfile
from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Spill"]


class Spill:
    """Arrays of unsigned 32-bit numbers, appended one by one and read back by their position.

    Memory: 8 bytes for each array. The file has no name and goes with the object.
    """

    def __init__(self) -> None:
        # It lives as long as this object; a `with` block would close it at once.
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        self._ends = array("Q", [0])
        self._mapped: NDArray[np.uint32] | None = None

    def add(self, values: NDArray[Any]) -> None:
        """Append an array; numbers are cut to their lower 32 bits."""
        self._file.write(values.astype(np.uint32).tobytes())
        self._ends.append(self._ends[-1] + len(values))
        self._mapped = None

    def __len__(self) -> int:
        return len(self._ends) - 1

    def all(self) -> NDArray[np.uint32]:
        """All numbers one after the other, mapped and not loaded."""
        if self._mapped is None:
            self._file.flush()
            if not self._ends[-1]:  # An empty file cannot be mapped.
                return np.zeros(0, np.uint32)
            self._mapped = np.memmap(self._file, np.uint32, "r")
        return self._mapped

    def __getitem__(self, position: int) -> NDArray[np.uint32]:
        return self.all()[self._ends[position] : self._ends[position + 1]]

    def close(self) -> None:
        """Give the file back; what was read stays valid no longer."""
        self._mapped = None
        self._file.close()
