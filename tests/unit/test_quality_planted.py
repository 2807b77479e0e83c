"""What is planted is found: the promise of the room, on a small file of `benchmarks/quality.py`."""

from collections.abc import Callable
from pathlib import Path
from typing import Self

import pytest

from cai.errors import InputError
from cai.quality import Options, Report, check_source, open_source
from tests.unit.quality_helpers import benchmark, pair, write

BENCH = benchmark()


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    folder: Path = tmp_path_factory.mktemp("planted")
    found: dict[str, float] = BENCH.figures_of(BENCH.plant(folder, 600))
    return found


@pytest.mark.parametrize(
    ("check", "recall"),
    [
        ("exact-duplicates", 1.0),
        ("contradictions", 1.0),
        ("contamination", 1.0),
        ("near-duplicates", 0.95),
    ],
)
def test_planted_rows_are_found_and_others_are_not(
    figures: dict[str, float], check: str, recall: float
):
    assert figures[f"{check} recall"] >= recall
    assert figures[f"{check} false alarms"] <= 0.01


def test_the_same_seed_plants_the_same_file(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        BENCH.plant(tmp_path / name, 60, seed=3)
    for name in ("pairs.jsonl", "evaluation.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_two_processes_find_the_same(tmp_path: Path):
    planted = BENCH.plant(tmp_path, 60)
    source, options = open_source(planted.file), Options(against=(planted.evaluation,))
    one, two = (check_source(source, options, processes=n) for n in (1, 2))
    assert one == two and one.findings


class Here:
    """Stands in for the pool: does the work of the other process in this one, a little later."""

    before: Callable[[], object]

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, work: Callable[..., Report], *arguments: object) -> Self:
        self.result = lambda: (Here.before(), work(*arguments))[1]
        return self


def test_a_source_that_grows_between_two_readings_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = write(tmp_path / "a.jsonl", [pair("a", "b", "c")] * 2)
    monkeypatch.setattr("cai.quality.run.ProcessPoolExecutor", Here)
    monkeypatch.setattr(
        Here, "before", staticmethod(lambda: write(file, [pair("a", "b", "c")] * 3)), raising=False
    )
    report = check_source(open_source(file), processes=2)
    assert report.rows == 3
    assert {f.check: f.count for f in report.findings}["exact-duplicates"] == 2


def test_an_error_in_the_other_process_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = write(tmp_path / "a.jsonl", [pair("a", "b", "c")])
    monkeypatch.setattr("cai.quality.run.ProcessPoolExecutor", Here)
    monkeypatch.setattr(Here, "before", staticmethod(file.unlink), raising=False)
    with pytest.raises(InputError, match="cannot be read"):
        check_source(open_source(file), processes=2)
