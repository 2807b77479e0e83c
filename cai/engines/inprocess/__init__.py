"""The parts of the `transformers` engine: chat format, sampling, caches, batching, loading."""

import os

# Torch on a CPU waits for its threads by spinning. If another process holds a core, the waiting
# threads burn the time that the last one needs: beside one busy process decoding was half as fast.
# A short spin costs nothing measurable on idle cores (docs/decisions/0005-models-in-process.md).
# The OpenMP library reads this when torch is first imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__all__: list[str] = []
