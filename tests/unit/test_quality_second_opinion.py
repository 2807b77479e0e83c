"""A judge as the second opinion on labels: what is asked, what counts, and nothing twice."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import cai
from cai.cli.check import check
from cai.cli.filter import filter_
from cai.config import parse_config
from cai.engines import Engines, ScriptedEngine
from cai.errors import ConfigError, UsageError
from cai.loop.opinions import judge_pairs
from cai.quality import ConfigJudge, Finding, Options, SecondOpinion, check_source, open_source
from cai.records import Completion, Message, Pair, Prompt, Request
from cai.store import RunStore
from tests.unit.judge_helpers import CONSTITUTION
from tests.unit.quality_helpers import pair, write

app = typer.Typer()
app.command("check")(check)
app.command("filter")(filter_)

RIGHT = [pair(f"Question {i}?", "A GOOD one.", "A POOR one.") for i in range(6)]
WRONG = [pair(f"Request {i}?", "A POOR one.", "A GOOD one.") for i in range(2)]


def fair(request: Request) -> Completion:
    """Prefers the answer that is good, with p = 0.8, whichever is shown first."""
    last = request.messages[-1].content
    return ScriptedEngine.label(0.8 if last.index("GOOD") < last.index("POOR") else 0.2)


def unfair(request: Request) -> Completion:
    last = request.messages[-1].content
    return ScriptedEngine.label(0.1 if last.index("GOOD") < last.index("POOR") else 0.9)


def judge(folder: Path, engine: ScriptedEngine, **more: Any) -> ConfigJudge:
    config = parse_config({"prompts": {"path": "x"}, "runtime": {"durable": False}, **more})
    return ConfigJudge(
        *(config, CONSTITUTION, folder / "answers"), engines=Engines(engine, engine, engine)
    )


def found(
    folder: Path, rows: Iterable[Any], engine: ScriptedEngine, **options: Any
) -> tuple[Finding, dict[str, str]]:
    asked = judge(folder, engine)
    source = open_source(write(folder / "rows.jsonl", rows))
    second = Options(second=SecondOpinion(asked, **options))
    (finding,) = check_source(source, second, only=["label-inversion"]).findings
    return finding, dict(finding.figures)


def test_rows_whose_label_the_judge_contradicts(tmp_path: Path):
    engine = ScriptedEngine(fair)
    finding, figures = found(tmp_path, [*RIGHT, *WRONG], engine)
    assert (finding.level, finding.count, finding.of) == ("warning", 2, 8)
    assert finding.drops == dict.fromkeys((6, 7), "the judge gives the chosen answer p = 0.20")
    assert [one.text for one in finding.examples] == ["p = 0.20: A POOR one."] * 2
    assert figures["Share"].startswith("25.0%, 95 % interval")
    assert figures["Asked about"] == "8 rows, 8 pairs"
    surer = "2 with p below 0.4, 2 with p below 0.25, 0 with p below 0.1"
    assert figures["Contradicts more surely"] == surer
    assert figures["Agrees with the label"].startswith("75.0% of the 8 rows where it names a")
    assert figures["Agrees with the label"].endswith(
        "that is no more than chance, so its word says little of a row"
    )
    assert figures["No winner, p within the margin"] == "0 rows"
    assert figures["Judge"].endswith("under test@1.0.0")
    assert engine.calls == 16  # both orders


def test_nothing_is_asked_twice(tmp_path: Path):
    first, again = ScriptedEngine(fair), ScriptedEngine(fair)
    before = found(tmp_path, [*RIGHT, *WRONG], first)
    assert found(tmp_path, [*WRONG, *RIGHT[:1]], again)[0].count == 2
    assert again.calls == 0
    assert found(tmp_path, [*RIGHT, *WRONG], again) == before
    assert again.calls == 0


def test_a_margin_leaves_what_is_not_sure(tmp_path: Path):
    finding, figures = found(tmp_path, [*RIGHT, *WRONG], ScriptedEngine(fair), margin=0.3)
    assert (finding.level, finding.count, finding.of) == ("ok", 0, 8)
    assert figures["No winner, p within the margin"] == "8 rows"
    assert not {"Contradicts more surely", "Agrees with the label"} & figures.keys()


def test_swapped_columns_are_an_error(tmp_path: Path):
    rows = [pair(f"q{i}", "POOR", "GOOD") for i in range(12)]
    assert found(tmp_path, rows, ScriptedEngine(fair))[0].level == "error"


def test_a_draw_does_not_depend_on_the_order_of_the_file(tmp_path: Path):
    rows = [pair(f"q{i}", "POOR", f"GOOD {i}") for i in range(40)]
    engine = ScriptedEngine(fair)
    finding, figures = found(tmp_path, rows, engine, limit=10)
    assert (finding.count, finding.of, engine.calls) == (10, 10, 20)
    assert figures["Asked about"] == "10 rows, drawn by hash from 40, 10 pairs"
    again = ScriptedEngine(fair)
    turned, _ = found(tmp_path, rows[::-1], again, limit=10)
    assert again.calls == 0
    assert sorted(39 - row for row in turned.drops) == sorted(finding.drops)
    larger, _ = found(tmp_path, rows, again, limit=15)
    assert (again.calls, set(larger.drops) >= set(finding.drops)) == (10, True)


def test_of_several_losing_answers_the_worst_counts(tmp_path: Path):
    rows = [{"prompt": "q", "ranking": ["GOOD a", "POOR b", "POOR c"]}]
    rows += [{"prompt": "r", "ranking": ["POOR a", "GOOD b", "GOOD c"]}]
    finding, figures = found(tmp_path, rows, ScriptedEngine(fair))
    assert (finding.count, finding.of, list(finding.drops)) == (1, 2, [1])
    assert figures["Asked about"] == "2 rows, 4 pairs"


def test_what_cannot_be_asked_is_no_finding(tmp_path: Path):
    tool = {
        "prompt": [{"role": "user", "content": "q"}, {"role": "tool", "content": "42"}],
        "chosen": "GOOD",
        "rejected": "POOR",
    }
    undecided = {"prompt": "q", "first": "a", "second": "b", "p": 0.5}
    rows = [tool, pair("q", "same", " same"), undecided, *RIGHT]
    finding, figures = found(tmp_path, rows, ScriptedEngine(fair))
    assert (finding.level, finding.count, finding.of) == ("ok", 0, 6)
    assert figures["No verdict: a prompt that does not end with a user turn"] == "1"
    assert figures["No verdict: answers that are equal or empty"] == "1"


def test_a_judge_that_says_nothing_is_no_approval(tmp_path: Path):
    engine = ScriptedEngine(lambda _: Completion("", "refused"))
    finding, figures = found(tmp_path, RIGHT, engine)
    assert (finding.level, finding.count, finding.of) == ("info", 0, 0)
    assert figures["No verdict: refused"] == "6"


def test_a_judge_in_python_is_any_object(tmp_path: Path):
    class Silent:
        name = "nobody"

        def opinions(self, pairs: Iterable[tuple[Prompt, Pair]]) -> Iterator[Any]:
            return iter(())

    source = open_source(write(tmp_path / "rows.jsonl", RIGHT))
    options = Options(second=SecondOpinion(Silent()))
    (finding,) = check_source(source, options, only=["label-inversion"]).findings
    assert (finding.level, dict(finding.figures)["Judge"]) == ("info", "nobody")


# --- runs ---


def generated(folder: Path) -> Path:
    texts = iter(["A GOOD one.", "A POOR one."] * 9)
    run = cai.Generation.create(
        CONSTITUTION,
        [f"Question {i}?" for i in range(9)],
        policy=ScriptedEngine(lambda request: next(texts)),
        judge=ScriptedEngine(fair),
        run=folder / "run",
        loop={"samples": 2, "rounds": 0, "pairs": ["samples"]},
        split={"dev": 0.0, "held_out": 0.0},
        runtime={"durable": False},
    )
    assert len(list(run)) == 9
    return folder / "run"


def of_run(run: Path, engine: ScriptedEngine, **more: Any) -> tuple[Finding, int]:
    config = parse_config(
        {"prompts": {"path": "x"}, "runtime": {"durable": False}, "loop": {"samples": 2}, **more}
    )
    asked = ConfigJudge(
        *(config, CONSTITUTION, run / "check"), run=run, engines=Engines(engine, engine, engine)
    )
    options = Options(second=SecondOpinion(asked))
    report = check_source(open_source(run), options, only=["label-inversion"])
    return report.findings[0], asked.meter.remembered


def test_a_run_answers_what_it_was_asked_itself(tmp_path: Path):
    run, same, other = generated(tmp_path), ScriptedEngine(fair), ScriptedEngine(unfair, name="u")
    with RunStore.read(run) as store:
        before = store.totals()
    finding, remembered = of_run(run, same)
    assert (finding.count, finding.of, same.calls, remembered) == (0, 9, 0, 18)
    finding, remembered = of_run(run, other)
    assert (finding.level, finding.count, other.calls, remembered) == ("error", 9, 18, 0)
    finding, _ = of_run(run, same, judge={"scope": "each"})
    assert (finding.count, finding.of, same.calls) == (0, 9, 18)  # the other principle
    with RunStore.read(run) as store:
        assert store.totals() == before


def test_pairs_of_a_file_are_put_as_relabel_puts_them(tmp_path: Path):
    from cai.cli.published import given_run
    from cai.validation.exchange.published import compared_rows

    rows = [*RIGHT, *WRONG, pair("Blanks?", " GOOD ", "POOR\n")]
    file = write(tmp_path / "rows.jsonl", rows)
    settings = tmp_path / "cai.yaml"
    settings.write_text(CONFIG)
    pairs = [one for _, _, one in compared_rows(file, "model") if not isinstance(one, str)]
    overrides = {"run": str(tmp_path / "run"), "split.dev": 0.0, "split.held_out": 0.0}
    assert len(list(given_run(pairs, file, settings, overrides, None, update=False))) == 9
    output = call("check", file, "--judge-config", settings, *QUICK, "--judge-run", tmp_path / "a")
    assert "asked 18 calls; 0 answers came from memory" in output
    with RunStore.read(tmp_path / "run") as one, RunStore.read(tmp_path / "a") as two:
        assert set(two.request_ids()) < set(one.request_ids())


def test_a_folder_of_a_run_is_no_place_for_answers(tmp_path: Path):
    run = generated(tmp_path)
    config = parse_config({"prompts": {"path": "x"}, "runtime": {"durable": False}})
    engine = ScriptedEngine(fair)
    prompt = Prompt((Message("user", "q"),))
    one = Pair(prompt.id, "samples", "GOOD", "POOR", "sample 0", "sample 1")

    async def ask() -> None:
        async for _ in judge_pairs(
            config, CONSTITUTION, [(prompt, one)], run, engines=Engines(engine, engine, engine)
        ):
            pass

    with pytest.raises(UsageError, match="holds a run"):
        asyncio.run(ask())


# --- the commands ---

CONFIG = """\
constitution: harmless-helpful
prompts: {path: starter}
models:
  policy: {engine: scripted, model: policy}
  judge: {engine: scripted, model: judge}
judge: {tie_band: 0.0}
runtime: {durable: false}
"""
QUICK = ("--only", "label-inversion", "--fail-on", "never")


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cai.yaml").write_text(CONFIG)
    rows = [pair(f"Question {i}?", f"One {i}.", f"Two {i}.") for i in range(20)]
    write(tmp_path / "Pairs.jsonl", rows)
    return tmp_path


def test_check_says_how_many_calls_were_made(place: Path):
    options = ("--judge-config", "cai.yaml", "--judge-limit", 12, *QUICK)
    output = call("check", "Pairs.jsonl", *options, "--json", "f.json")
    assert "The judge was asked 24 calls; 0 answers came from memory. Kept in" in output
    assert (place / "runs/check-pairs/run.db").is_file()
    (finding,) = json.loads((place / "f.json").read_text())["file"]["findings"]
    assert finding["of"] == 12
    assert finding["figures"]["Asked about"] == "12 rows, drawn by hash from 20, 12 pairs"
    again = call("check", "Pairs.jsonl", *options)
    assert "The judge was asked 0 calls; 24 answers came from memory." in again


def test_a_judge_that_is_not_needed_is_not_started(place: Path):
    output = call("check", "Pairs.jsonl", "--judge-config", "cai.yaml", "--only", "pii")
    assert "The judge was asked nothing." in output
    assert not (place / "runs").exists()


def test_filter_leaves_out_what_the_judge_contradicts(place: Path):
    options = ("--judge-config", "cai.yaml", "--judge-run", "answers")
    call("check", "Pairs.jsonl", *options, *QUICK, "--json", "f.json")
    (finding,) = json.loads((place / "f.json").read_text())["file"]["findings"]
    assert 0 < finding["count"] < 20 == finding["of"]
    output = call(
        *("filter", "Pairs.jsonl", *options, "--drop", "label-inversion", "--out", "kept.jsonl")
    )
    assert f"Left out {finding['count']} rows" in output
    assert "The judge was asked 0 calls; 40 answers came from memory." in output
    (first, *_) = (place / "kept.jsonl.dropped.jsonl").read_text().splitlines()
    assert json.loads(first)["reason"].startswith("the judge gives the chosen answer p = 0.")


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        (("--judge-config", "cai.yaml", "--scorer", "json:loads"), UsageError, "one of them"),
        (("--judge-run", "answers"), UsageError, "--judge-config FILE"),
        (("--judge-config", "none.yaml"), ConfigError, "none.yaml"),
        (("--only", "label-inversion"), UsageError, "--judge-config"),
    ],
)
def test_what_does_not_go_together(
    place: Path, options: tuple[str, ...], error: type[Exception], match: str
):
    with pytest.raises(error, match=match):
        call("check", "Pairs.jsonl", *options)
