"""KTO trains on labelled answers of people, alone and beside pairs."""

import json
from pathlib import Path

import pytest

from cai.errors import ConfigError
from cai.feedback import import_feedback
from cai.train.data import kind_of, load_data
from cai.train.examples import Labelled, Preference, Rating
from cai.train.files import read_file
from cai.train.kto import Side, sides_of
from cai.train.load import load_training
from cai.train.run import train
from cai.train.settings import TrainConfig
from tests.unit.feedback_helpers import (
    asked,
    edit,
    quick_store,  # noqa: F401 - a fixture
    thumbs,
    write,
)
from tests.unit.tiny_model import tiny_model, tiny_tokenizer

pytestmark = pytest.mark.usefixtures("quick_store")

TRAIN = asked("train", 24)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    tiny_model().save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def imported(folder: Path) -> Path:
    rows = [thumbs(p[:12], "yes yes", "up", f"u{i}") for i, p in enumerate(TRAIN[:12])]
    rows += [thumbs(p[:12], "no", "down", f"v{i}") for i, p in enumerate(TRAIN[:12])]
    rows += [edit(p[:12], "no", "yes", f"w{i}") for i, p in enumerate(TRAIN[:12])]
    import_feedback([write(folder / "rows.jsonl", rows)], folder / "out")
    return folder / "out/export"


def test_imported_rows_train_with_kto_and_dpo(base: Path, tmp_path: Path):
    export = imported(tmp_path)
    settings = {
        "model.name": str(base),
        "model.device": "cpu",
        "training": {"max_steps": 3, "batch_size": 4, "micro_batch_size": 2, "max_length": 48},
    }
    for method in ("kto", "dpo"):
        more = {**settings, "output": str(tmp_path / method)}
        result = train(method, load_training(export / f"{method}.yaml", more))  # type: ignore[arg-type]
        assert result.steps == 3
        record = json.loads((result.folder / "training.json").read_text())
        assert record["sources"][0]["origin"] == "human"
        assert record["sources"][0]["train"] > 3
        card = (result.folder / "README.md").read_text()
        assert "labels by people" in card


def test_a_file_may_mix_labels_and_pairs(tmp_path: Path):
    rows = [
        {"prompt": "A", "completion": "good", "label": True},
        {"prompt": "B", "completion": "bad", "label": False},
        {"prompt": "C", "chosen": "good", "rejected": "bad"},
        {"prompt": "D", "answer": "so so", "rating": 1.0},
    ]
    path = write(tmp_path / "rows.jsonl", rows)
    found = list(read_file(path, "human"))
    assert [type(one) for one in found] == [Labelled, Labelled, Preference, Rating]
    source = {"file": str(path), "origin": "human", "dev_share": 0.0}
    config = TrainConfig.model_validate({"data": [source]})
    examples = load_data(kind_of("kto", config), config).train
    # A rating without a label says nothing that KTO could learn.
    sides = [side for one in examples for side in sides_of(one)]
    assert [(side.answer, side.good) for side in sides] == [
        ("good", True),
        ("bad", False),
        ("good", True),
        ("bad", False),
    ]
    assert len({side.name for side in sides}) == 4
    assert isinstance(sides[0], Side)
    # A reward model still learns labels as ratings.
    assert [one.rating for one in load_data(Rating, config).train] == [1.0, 0.0, 1.0]


def test_nothing_to_learn_from_says_what_is_needed(tmp_path: Path):
    path = write(tmp_path / "rows.jsonl", [{"prompt": "A"}])
    config = TrainConfig.model_validate({"data": [{"file": str(path), "origin": "human"}]})
    with pytest.raises(ConfigError, match="answers with a label"):
        load_data(kind_of("kto", config), config)
