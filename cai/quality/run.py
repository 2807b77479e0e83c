"""One pass over a source with all checks at once."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import TYPE_CHECKING

from cai.quality.check import Book, Options, select
from cai.quality.reading import read_samples
from cai.quality.records import Report
from cai.quality.texts import Texts
from cai.quality.words import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cai.quality.check import Check
    from cai.quality.reading import Source
    from cai.quality.records import Sample

__all__ = ["check_samples", "check_source"]


def check_source(
    source: Source,
    options: Options | None = None,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    progress: Callable[[int], None] = lambda rows: None,
    processes: int = 1,
) -> Report:
    """Run the checks over a file or run.

    Args:
        source: from `open_source`.
        options: what the checks need.
        only: names of checks; all that are ready when empty.
        skip: names of checks that are left out.
        progress: is told the number of rows now and then.
        processes: 2 does half of the checks in a process of its own, which also reads the source;
            that takes about half the time. A script that asks for it needs a `__main__` guard.

    Raises:
        UsageError: a check is unknown or lacks what it needs; a file cannot be read.
    """
    options = options or Options()
    kinds = select(options, only, skip)
    # A check that a script registered is not known in another process.
    apart = [kind for kind in kinds if kind.apart and kind.__module__.startswith("cai.")]
    if processes < 2 or len(apart) in (0, len(kinds)):
        return _report(source, options, kinds, progress)
    # Not forked: a progress bar has a thread. What a scorer or judge needs may not go to another
    # process.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        names = [kind.name for kind in apart]
        other = pool.submit(_apart, source, replace(options, scorer=None, second=None), names)
        own = _report(source, options, [kind for kind in kinds if kind not in apart], progress)
        theirs = other.result()
    if theirs.rows != own.rows:  # The run went on meanwhile.
        return _report(source, options, kinds, progress)
    findings = {f.check: f for f in (*own.findings, *theirs.findings)}
    return replace(own, findings=tuple(findings[kind.name] for kind in kinds))


def _apart(source: Source, options: Options, names: list[str]) -> Report:
    return _report(source, options, select(options, names))


def _report(
    source: Source,
    options: Options,
    checks: Sequence[type[Check]],
    progress: Callable[[int], None] = lambda rows: None,
) -> Report:
    samples = (sample for sample, _ in read_samples(source))
    return check_samples(samples, checks, options, str(source.path), progress)


def check_samples(
    samples: Iterable[Sample],
    checks: Sequence[type[Check]],
    options: Options,
    name: str = "",
    progress: Callable[[int], None] = lambda rows: None,
) -> Report:
    """Run the checks over samples, whose indices count from 0.

    Memory: about 200 bytes a row and check, beside what lies in temporary files.
    """
    book, vocabulary = Book(), Vocabulary()
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        running = [stack.enter_context(closing(check(options, book))) for check in checks]
        for sample in samples:
            book.add(sample)
            counts[sample.kind] += 1
            texts = Texts(sample, vocabulary)
            for check in running:
                if check.broken or sample.kind != "broken":
                    check.see(sample, texts)
            if sample.index % 500 == 0:
                progress(sample.index)
        findings = tuple(check.finish() for check in running)
    return Report(name, len(book.places), dict(counts), findings)
