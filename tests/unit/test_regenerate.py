"""`cai generate --update`: it says what it is going to ask, asks that and no more, and says so."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cai.cli.app import app
from cai.engines import ScriptedEngine
from cai.loop.estimate import estimate
from cai.records import Completion, Request
from cai.store.spending import calls_of
from tests.unit.replan_helpers import IDS, Workshop, principle

NAME = "help.true"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Every request that reaches a scripted engine."""
    requests: list[Request] = []
    complete = ScriptedEngine.complete

    async def noted(self: ScriptedEngine, request: Request) -> Completion:
        requests.append(request)
        return await complete(self, request)

    monkeypatch.setattr(ScriptedEngine, "complete", noted)
    return requests


class Shop(Workshop):
    def write(self, constitution: str = "", **sections: object) -> Path:
        path = self.folder / "cai.yaml"
        path.write_text(self.settings(constitution, **sections).model_dump_json(), "utf-8")
        return path


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path, prompts=24)
    done(made.write())
    return made


def done(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["generate", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result


def figures(text: str, pattern: str) -> list[int]:
    found = re.search(pattern, text)
    assert found, text
    return [int(one.replace(",", "")) for one in found.groups()]


def test_an_update_says_what_it_does_and_does_no_more(shop: Shop, asked: list[Request]) -> None:
    path = shop.write(shop.edited(NAME, critique="Where is it untrue?", judge="Truer?"))
    found = estimate(
        shop.settings(shop.edited(NAME, critique="Where is it untrue?", judge="Truer?"))
    )
    before = shop.answered()
    asked.clear()
    result = done(path, "--update")
    told = f"~ principle {NAME} reworded (critique, judge)."
    assert told in result.stderr
    valid, planned = figures(result.stderr, r"Calls: (\S+) are answered.* (\S+) are to be made")
    made, remembered = figures(result.stdout, r"Asked (\S+) calls; (\S+) answers came from memory")
    # The scripted engine sometimes finds the same words again, so that less follows.
    assert 0 < made == len(asked) <= planned == found.calls.likely
    assert remembered >= valid
    new = shop.answered() - before
    assert len(new) == made
    # Nothing was asked that no row is made of, and the samples are what they were.
    assert new <= {one for row in shop.rows().values() for _, one in calls_of(row)}
    assert not {r.stage for r in asked} & {"sample"}


def test_without_a_change_nothing_is_announced(shop: Shop, asked: list[Request]) -> None:
    asked.clear()
    result = done(shop.write(), "--update")
    assert "Compared with the stored run" not in result.stderr
    assert "Asked 0 calls; 0 answers came from memory." in result.stdout
    assert asked == []


def test_a_fresh_run_is_not_compared(tmp_path: Path) -> None:
    result = done(Shop(tmp_path, prompts=2).write(), "--update")
    assert "Compared with the stored run" not in result.stderr
    assert figures(result.stdout, r"Asked (\d+) calls") == [44]


def test_a_weight_makes_rows_anew_from_memory(shop: Shop, asked: list[Request]) -> None:
    then = shop.rows()
    told = (principle(one, **({"weight": 1.00001} if one == NAME else {})) for one in IDS)
    path = shop.write(shop.constitution("heavier", *told))
    asked.clear()
    result = done(path, "--update")
    assert "Rows: 24 stay as they are, 0 change without a call, 0 need calls." in result.stderr
    assert asked == []
    now = shop.rows()
    assert {r.plan for r in now.values()}.isdisjoint(r.plan for r in then.values())
    assert all(now[i].pairs == then[i].pairs for i in then)


def test_without_update_it_refuses_and_names_the_plan(shop: Shop) -> None:
    result = CliRunner().invoke(app, ["generate", str(shop.write(loop={"rounds": 1}))])
    assert "'cai plan' says which and what they cost" in str(result.exception)
