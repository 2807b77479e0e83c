"""The parts of the `transformers` engine: chat format, sampling, caches, batching, loading."""

import os

# Torch on a CPU waits for its threads by spinning. If another process holds a core, the waiting
# threads burn the time that the last one needs: decoding was ten times slower beside one busy
# process. A short spin costs nothing measurable on idle cores (docs/first-run.md has the figures).
# The OpenMP library reads this when torch is first imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__all__: list[str] = []
