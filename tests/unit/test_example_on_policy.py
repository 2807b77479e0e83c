"""The example in rounds: a tiny policy answers, is trained, and what was trained answers next."""

import json
from pathlib import Path

import pytest

from cai.config import load_config
from cai.pipeline import training as training_stage
from cai.store import RunStore
from tests.unit.cli_helpers import Cai, shell
from tests.unit.pipeline_helpers import Here, write_tiny

pytestmark = pytest.mark.filterwarnings("default")

CONFIG = Path(__file__).parents[2] / "examples/11_on_policy/config.yaml"


@pytest.fixture
def cai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cai:
    monkeypatch.setattr(training_stage, "in_own_process", Here())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return shell(monkeypatch, capsys)


def test_the_second_round_samples_from_what_the_first_has_trained(cai: Cai, tmp_path: Path):
    settings = [
        f"models.policy.model={write_tiny(tmp_path / 'tiny')}",
        *("models.critic.engine=scripted", "prompts.limit=12", "loop.sample.max_tokens=4"),
        # The constitution, which the other kind of pair shows, is longer than a tiny model reads.
        "loop.pairs=[samples]",
        # Nor does it come to the end of a sentence.
        "loop.truncated=keep",
        *(
            f"pipeline.train.dpo.settings.{key}"
            for key in ("training.max_steps=2", "training.learning_rate=0.001", "model.adapt=full")
        ),
    ]
    done = cai("run", CONFIG, *(part for one in settings for part in ("--set", one)))
    assert done.code == 0, done.err
    first = tmp_path / load_config(CONFIG).run
    second = first / "rounds/2"
    policies = []
    for run in (first, second):
        with RunStore.read(run) as store:
            policies.append({one.fingerprint for one in store.models() if one.stage == "sample"})
            rows = [store.row(one.prompt_id) for one in store.listing("done")]
        assert len(rows) == 12
        # Every two of four answers.
        assert {len(row[0].pairs) for row in rows if row is not None} == {6}
        assert (run / "report.html").is_file()
    assert policies[0].isdisjoint(policies[1])
    record = json.loads((second / "models/dpo/training.json").read_text())
    assert Path(record["config"]["model"]["name"]) == first / "models/dpo"
