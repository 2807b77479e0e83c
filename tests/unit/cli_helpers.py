"""The command line as a shell would see it: exit code and both streams."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from cai.cli import main


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str


Cai = Callable[..., Ended]


def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cai:
    """A function that runs one command."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["cai", *(str(a) for a in arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main()
        code = leaving.value.code
        assert isinstance(code, int)
        return Ended(code, *capsys.readouterr())

    return run
