"""The exported files load with the `datasets` library, in both formats."""

import warnings
from pathlib import Path

import pytest

from cai.records import Message, Prompt
from cai.store import RunStore
from cai.store.export import export
from tests.unit.store_helpers import ask, fill, full_row

pytestmark = pytest.mark.integration

HOSTILE = "# x\n<b>\x1b[2J\x00\u202e\u2028\r\n\t\"'\\"
ENDINGS = {"parquet": "parquet", "json": "jsonl"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    rows = [(full_row(ask(f"Q{i}", "tag")), "dev" if i == 2 else "train") for i in range(3)]
    hostile = Prompt((Message("system", HOSTILE), Message("user", HOSTILE)))
    rows.append((full_row(hostile, HOSTILE + "1", HOSTILE + "2"), "train"))
    with RunStore.read(fill(path, rows)) as store:
        return export(store).folder


def load(kind: str, path: Path, cache: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from datasets import load_dataset

        return load_dataset(kind, data_files=str(path), cache_dir=str(cache))["train"]


@pytest.mark.parametrize("kind", ["parquet", "json"])
@pytest.mark.parametrize("table", ["preferences", "sft", "undecided"])
def test_both_formats_load(folder: Path, tmp_path: Path, kind: str, table: str):
    found = load(kind, folder / f"{table}.{ENDINGS[kind]}", tmp_path)
    assert found.num_rows == 3
    column = {"preferences": "prompt", "sft": "messages", "undecided": "prompt"}[table]
    assert found[2][column][:2] == [
        {"role": "system", "content": HOSTILE},
        {"role": "user", "content": HOSTILE},
    ]
    if table == "preferences":
        assert found[2]["chosen"] == [{"role": "assistant", "content": HOSTILE + "2"}]
        assert all(p >= 0.5 for p in found["p"])


def test_both_formats_hold_the_same(folder: Path, tmp_path: Path):
    for table in ("preferences", "sft", "undecided"):
        parquet, json = (
            load(kind, folder / "dev" / f"{table}.{ending}", tmp_path)
            for kind, ending in ENDINGS.items()
        )
        assert list(parquet) == list(json)


def test_an_empty_table_loads(tmp_path: Path):
    with RunStore.read(fill(tmp_path / "run", [])) as store:
        path = export(store).folder / "preferences.parquet"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from datasets import load_dataset

        # Without streaming, the library refuses any data set that has no rows at all.
        found = load_dataset("parquet", data_files=str(path), streaming=True)["train"]
    assert list(found) == []


def test_the_card_tells_the_library_what_is_where(folder: Path, tmp_path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from datasets import load_dataset

        found = load_dataset(str(folder), "sft", cache_dir=str(tmp_path))
    assert {split: data.num_rows for split, data in found.items()} == {"train": 3, "dev": 1}
