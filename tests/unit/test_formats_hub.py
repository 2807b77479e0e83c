"""Exports and the `datasets` library; and memory that does not grow with a run."""

import tracemalloc
import warnings
from pathlib import Path

import pytest

from cai.formats import LAYOUTS, read_records
from cai.store import RunStore
from cai.store.export import export
from cai.store.export_schema import SCHEMAS
from cai.store.hub import features_of
from tests.unit.formats_helpers import HOSTILE, hostile_row, lines, single_turn
from tests.unit.store_helpers import fill

pytest.importorskip("datasets")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [(hostile_row(), "train"), *((single_turn(i), "dev") for i in range(2))]
    with RunStore.read(fill(tmp_path_factory.mktemp("run"), rows)) as store:
        return export(store, layouts=tuple(LAYOUTS)).folder


def load(path: Path, cache: Path, *config: str, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from datasets import disable_progress_bars, load_dataset

        disable_progress_bars()
        return load_dataset(str(path), *config, cache_dir=str(cache), **options)


# `alpaca` has no row in train: the conversation is left out, and the split is in no config.
@pytest.mark.parametrize("table", ["preferences", "ultrafeedback", "rankings", "edits", "alpaca"])
def test_a_table_loads_by_its_name(folder: Path, tmp_path: Path, table: str):
    found = load(folder, tmp_path, table)
    written = {"train": f"{table}.jsonl", "dev": f"dev/{table}.jsonl"}
    kept = {split: lines(folder / name) for split, name in written.items()}
    assert {split: list(data) for split, data in found.items()} == {
        split: rows for split, rows in kept.items() if rows
    }
    for data in found.values():
        # What the card announces is what the library measures once the columns are read.
        assert data.info.splits is not None
        assert data.data.nbytes > 0


def test_the_first_table_is_the_default(folder: Path, tmp_path: Path):
    found = load(folder, tmp_path)
    assert found["train"][0]["chosen"] == [{"role": "assistant", "content": HOSTILE + "2"}]


def test_jsonl_for_openai_loads_by_its_file(folder: Path, tmp_path: Path):
    files = {"train": str(folder / "openai.jsonl")}
    found = load(Path("json"), tmp_path, data_files=files)["train"]
    assert found[0]["preferred_output"] == [{"role": "assistant", "content": HOSTILE + "2"}]
    assert "config_name: openai" not in (folder / "README.md").read_text(encoding="utf-8")


def test_features_and_sizes_are_those_of_the_library(folder: Path):
    import pyarrow.parquet as pq

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from datasets import Features
        from datasets.info import DatasetInfosDict

        for name, schema in SCHEMAS.items():
            expected = Features.from_arrow_schema(schema())._to_yaml_list()
            assert features_of(schema()) == expected, name
        infos = DatasetInfosDict.from_directory(str(folder))
    assert set(infos) == set(SCHEMAS)
    for name, info in infos.items():
        table = pq.read_table(folder / "dev" / f"{name}.parquet")
        assert info.splits["dev"].num_examples == table.num_rows
        # Validity bits may or may not be there.
        assert info.splits["dev"].num_bytes == pytest.approx(table.nbytes, rel=0.05)
        assert info.download_size == sum(
            path.stat().st_size
            for path in (folder / f"{name}.parquet", folder / "dev" / f"{name}.parquet")
            if name != "alpaca" or path.parent.name == "dev"
        )


def test_memory_does_not_grow_with_the_run(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("cai.store.export_files._RECORDS", 8)

    def peak(count: int) -> int:
        rows = ((single_turn(i, 30_000), "train") for i in range(count))
        with RunStore.read(fill(tmp_path / f"run{count}", rows)) as store:
            tracemalloc.start()
            folder = export(store, layouts=tuple(LAYOUTS)).folder
            for name in ("rankings.jsonl", "rl-prompts.jsonl"):
                assert sum(1 for _ in read_records(folder / name)) == count
            found = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return found

    # A row holds 60 kB: a list of the others would be megabytes more.
    assert peak(32) < peak(8) + 1_000_000
