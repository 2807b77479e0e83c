"""Whether the checks find what was planted, what they find beside it, and what they cost.

Writes a file of comparisons with planted exact duplicates, contradictions, near-duplicates (one
word in ten changed) and evaluation items, runs all checks in a fresh process, and prints recall,
false alarms, seconds and memory.

    python benchmarks/quality.py
    python benchmarks/quality.py --rows 2000
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

__all__ = ["PLANTED", "Planted", "figures_of", "main", "plant"]

PLANTED = ("exact-duplicates", "contradictions", "near-duplicates", "contamination")
_SYLLABLES = ("ka", "lo", "mi", "re", "su", "ta", "vo", "ne", "pi", "dra", "sto", "quen", "sha")
_COMMAND = "import typer; from cai.cli.check import check; typer.run(check)"
_REFUSAL = "I'm sorry, but I cannot help with that request because it could hurt other people."


class _Writer:
    """Texts whose words are as unevenly frequent as those of a language (Zipf)."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.words = [self._word() for _ in range(20_000)]
        self.weights = list(accumulate(1 / (rank + 2.7) for rank in range(len(self.words))))

    def _word(self) -> str:
        return "".join(self.random.choices(_SYLLABLES, k=self.random.randint(1, 4)))

    def text(self, least: int, most: int) -> str:
        count = self.random.randint(least, most)
        words = self.random.choices(self.words, cum_weights=self.weights, k=count)
        for i in range(0, count, 12):
            words[i] = words[i].capitalize()
            words[i - 1] += "." if i else ""
        return " ".join(words) + "."

    def changed(self, text: str) -> str:
        """The text with one word in ten replaced, at random places."""
        words = text.split()
        for i in self.random.sample(range(len(words)), round(len(words) / 10)):
            words[i] = self.random.choice(self.words)
        return " ".join(words)

    def row(self) -> dict[str, Any]:
        """A row; some are hard: a template, a canned answer, or a refusal."""
        kind = self.random.random()
        prompt, rejected = self.text(30, 120), self.text(30, 200)
        if kind < 0.1:
            prompt = f"Write a short poem about {self.text(2, 3)} Use simple words and no rhyme."
        elif kind < 0.2:
            rejected = f"{_REFUSAL} {self.text(5, 20)}"
        return {"prompt": prompt, "chosen": self.text(30, 200), "rejected": rejected}


@dataclass
class Planted:
    """A file, an evaluation file, and the numbers of the rows in which something was planted."""

    file: Path
    evaluation: Path
    rows: dict[str, set[int]] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)
    total: int = 0


def plant(folder: Path, rows: int, seed: int = 20261126) -> Planted:
    """Write both files. Of the rows, 2 % each are planted, and as many share another's prompt."""
    writer, each = _Writer(seed), max(5, rows // 50)
    base = [writer.row() for _ in range(rows - 4 * each)]
    for i in range(each):  # Two more answers to a prompt: no duplicate, however long the prompt.
        base[-1 - i] = writer.row() | {"prompt": base[i]["prompt"]}
    items = [writer.text(20, 40) for _ in range(each)] + [writer.text(5, 12) for _ in range(each)]
    picked = writer.random.sample(range(each, len(base) - each), 3 * each)
    planted = Planted(folder / "pairs.jsonl", folder / "evaluation.jsonl")
    lines = list(base)
    for name, sources in zip(PLANTED, (picked[i::3] for i in range(3)), strict=False):
        planted.rows[name] = set()
        for count, source in enumerate(sources):
            planted.rows[name].add(len(lines))
            planted.touched |= {source, len(lines)}
            lines.append(_copy(name, base[source], count, writer))
            if name == "contradictions":
                planted.rows[name].add(source)
    planted.rows["contamination"] = set(range(len(lines), len(lines) + each))
    planted.touched |= planted.rows["contamination"]
    lines += [_leaked(writer, item, i) for i, item in enumerate(writer.random.sample(items, each))]
    planted.total = len(lines)
    planted.file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    planted.evaluation.write_text("".join(json.dumps({"question": i}) + "\n" for i in items))
    return planted


def _copy(name: str, row: dict[str, Any], count: int, writer: _Writer) -> dict[str, Any]:
    if name == "contradictions":
        row = row | {"chosen": row["rejected"], "rejected": row["chosen"]}
    if name == "near-duplicates":
        return {key: writer.changed(text) for key, text in row.items()}
    # Every other copy is the same after normalisation only.
    change = str.upper if count % 2 else str
    return {
        key: change(text).replace(" ", "  " if count % 4 == 1 else " ") for key, text in row.items()
    }


def _leaked(writer: _Writer, item: str, number: int) -> dict[str, Any]:
    """A row with thirteen words of an item, or all of a short one, in a prompt or an answer."""
    words = item.split()
    start = writer.random.randint(0, max(0, len(words) - 13))
    row = writer.row()
    key = ("prompt", "chosen", "rejected")[number % 3]
    own = row[key].split()
    at = writer.random.randint(0, len(own))
    return row | {key: " ".join([*own[:at], *words[start : start + 13], *own[at:]])}


def figures_of(planted: Planted) -> dict[str, float]:
    """Recall of what was planted and the share of other rows that were found, for each check."""
    from cai.quality import Options, check_source, open_source

    options = Options(against=(planted.evaluation,))
    report = check_source(open_source(planted.file), options, only=PLANTED)
    found = {finding.check: set(finding.drops) for finding in report.findings}
    clean = set(range(planted.total)) - planted.touched
    figures: dict[str, float] = {}
    for name in PLANTED:
        wanted = planted.rows[name]
        figures[f"{name} recall"] = len(wanted & found[name]) / len(wanted)
        figures[f"{name} false alarms"] = len(clean & found[name]) / len(clean)
    return figures


def main() -> None:
    """Plant, measure in a fresh process, print and write the results."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=20261126)
    options.add_argument("--name", default="quality", help="of the file of results")
    given = options.parse_args()
    from measuring import show, write_results

    with tempfile.TemporaryDirectory(prefix="cai-bench-") as folder:
        planted = plant(Path(folder), given.rows, given.seed)
        megabytes = planted.file.stat().st_size / 2**20
        figures = figures_of(planted)
        command = [sys.executable, "-c", _COMMAND, str(planted.file)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.perf_counter()
        subprocess.run(
            [*command, "--against", str(planted.evaluation), "--fail-on", "never"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        figures["seconds"] = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        figures["cpu_seconds"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        # Of the larger of two processes, which share little.
        figures["peak_mb_of_a_process"] = after.ru_maxrss / 1024
        figures["file_mb"] = megabytes
    for name, value in figures.items():
        show(f"{given.rows:,} rows", {name: value})
    write_results(given.name, {str(given.rows): figures})


if __name__ == "__main__":
    main()
