"""`cai review`: what it prints, what it refuses, and how it ends."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest
from typer.testing import CliRunner

from cai.cli.app import app
from cai.errors import MissingExtraError, UsageError
from cai.store import RunStore
from cai.validation import Labels
from cai.validation.review import server
from tests.unit.review_helpers import make_item, make_run

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    make_run(tmp_path / "run", [make_item(i) for i in range(3)]).close()
    return tmp_path / "run"


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A server that Ctrl-C stops as soon as it can be asked."""
    served: list[object] = []

    def stop(self: server.ReadyServer, sockets: object) -> None:
        served.append(self)
        self.ready()
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(server.uvicorn.Server, "run", stop)
    return served


def review(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["review", *arguments, "--port", "0"])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_it_prints_links_that_stay(run: Path, interrupted: list[object]) -> None:
    options = ["--annotator", "Ada", "--annotator", "Ben", "--adjudicator", "Judy"]
    before = signal.getsignal(signal.SIGTERM)
    texts = [review(str(run), *options), review(str(run), *options, "--practice", "none")]
    assert signal.getsignal(signal.SIGTERM) is before
    assert len(interrupted) == 2
    for text in texts:
        assert "Review of 3 pairs under kind@1.0.0" in text
        assert "Judy (adjudicator)  http://127.0.0.1:" in text
        assert text.endswith("Ctrl-C stops the server.\nStopped. All labels are stored.\n")
    keys = [[line.rpartition("/a/")[2] for line in t.splitlines() if "/a/" in line] for t in texts]
    assert keys[0] == keys[1] and len(set(keys[0])) == 3
    with RunStore.read(run) as store:
        kinds = {a.name: a.kind for a in Labels(store).annotators()}
    assert kinds == {"Ada": "human", "Ben": "human", "Judy": "human"}


def test_a_server_that_others_can_reach_has_a_token(
    run: Path, interrupted: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.socket, "create_server", lambda *_, **__: FakeSocket())
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    text = review(str(run), "--host", "0.0.0.0", "--open")
    assert f"http://{server.socket.gethostname()}:8123/?token=k" in text
    assert "use an SSH tunnel" in text
    line, dashboard = [line for line in text.splitlines() if "?token=" in line]
    assert "/dashboard?token=" in dashboard
    assert opened == [line.split()[-1]]


class FakeSocket:
    def getsockname(self) -> tuple[str, int]:
        return "0.0.0.0", 8123

    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def test_addresses() -> None:
    assert server.address("::1", FakeSocket()) == "http://[::1]:8123"  # type: ignore[arg-type]


def test_a_port_that_is_taken() -> None:
    listening = server.listen("127.0.0.1", 0)
    with listening, pytest.raises(UsageError, match=r"is taken\. Choose another with --port"):
        server.listen("127.0.0.1", listening.getsockname()[1])
    with pytest.raises(UsageError, match=r"Cannot listen at 192\.0\.2\.1"):
        server.listen("192.0.2.1", 1)


def test_what_is_missing_is_named(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Exception, match="No run in"):
        review(str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
    RunStore.open(tmp_path / "bare").close()
    with pytest.raises(UsageError, match="has no sampling plan"):
        review(str(tmp_path / "bare"))
    with pytest.raises(UsageError, match="No such file"):
        review(str(run), "--practice", str(tmp_path / "none.yaml"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"constitutional-ai\[review\]"):
        review(str(run))


def test_a_real_server_stops_and_says_so(run: Path) -> None:
    command = [sys.executable, "-m", "cai", "review", str(run), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    while not process.stdout.readline().startswith("Ctrl-C"):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert output == "Stopped. All labels are stored.\n"
