"""`cai demo`, with the scripted engine in place of the embedded model."""

from typer.testing import CliRunner

import cai.config
from cai.cli.app import app
from cai.config import load_config
from cai.store import RunStore


def test_demo_goes_through_the_same(tmp_path, monkeypatch):
    def scripted(path, overrides):
        return load_config(path, {**overrides, "models.policy.engine": "scripted"})

    monkeypatch.setattr(cai.config, "load_config", scripted)
    arguments = ["demo", "--run", str(tmp_path / "[demo]"), "--prompts", "3"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    with RunStore.read(tmp_path / "[demo]") as store:
        assert sum(store.row_counts().values()) == 3
    assert "3/3 rows" in result.stderr
    assert f"cai show {tmp_path / '[demo]'} 1" in result.stdout
