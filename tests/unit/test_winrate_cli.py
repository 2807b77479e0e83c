"""`cai evaluate winrate` as a shell sees it, and its chart."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import cai
from cai.engines import ScriptedEngine
from cai.evaluate.results import read_results
from cai.report.charts import Dot, Line, Place, Words, scatter_chart
from cai.report.rendering import render_svg
from tests.unit.cli_helpers import Cai, shell
from tests.unit.judge_helpers import CONSTITUTION
from tests.unit.test_report_charts import check
from tests.unit.winrate_helpers import find


@pytest.fixture
def run_cai(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cai:
    return shell(monkeypatch, capsys)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with prompts and a config of scripted models."""
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": f"What is thing number {i} for?", "tags": ["odd"]} for i in range(12)]
    (tmp_path / "prompts.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "config.yaml").write_text(
        "format: 1\nprompts: {path: prompts.jsonl}\nconstitution: harmless-helpful\n"
        "models:\n  policy: {engine: scripted, model: writer}\n"
        "  judge: {engine: scripted, model: reader}\n"
    )
    return tmp_path


ARGUMENTS = (
    *("evaluate", "winrate", "--config", "config.yaml", "--draws", 200),
    *("--check-limit", 0),
)
TWICE = ("--subject", "old=config:policy", "--subject", "new=config:policy")


def result_of(folder: Path) -> Any:
    (found,) = read_results(folder)
    return found


def test_a_model_against_itself(run_cai: Cai, here: Path) -> None:
    ended = run_cai(*ARGUMENTS, *TWICE)
    assert ended.code == 0, ended.err
    result = result_of(here / "runs" / "evaluate-winrate")
    rate = find(result, "win rate")
    assert (rate.subject, rate.against, rate.n) == ("new", "old", 12)
    assert rate.low is not None and rate.high is not None and rate.low < 0.5 < rate.high
    assert rate.unchecked
    shown = f"{rate.value:.1%} [{rate.low:.1%}, {rate.high:.1%}] (evaluator not checked)"
    assert re.search(rf"win rate +new +old +all +{re.escape(shown)} +12", ended.out)
    assert "comparisons needed" in ended.out and "tag odd" in ended.out
    assert "--check FILE" in ended.out and "not checked" in ended.out
    assert "Calls, this time" in ended.out and "winrate.json" in ended.out
    assert "Answers: 24 of 24" in ended.err and "Comparisons: 12 of 12" in ended.err
    # Models of the same name would prefer their own words; the writer is not the reader.
    assert "prefer their own" not in ended.out
    again = run_cai(*ARGUMENTS, *TWICE)
    assert "0 asked" in again.out
    assert result_of(here / "runs" / "evaluate-winrate") == result


def test_one_subject_meets_the_policy(run_cai: Cai, here: Path) -> None:
    ended = run_cai(
        *ARGUMENTS, "--subject", "other=scripted:other", "--limit", 3, "--folder", "out"
    )
    assert ended.code == 0, ended.err
    result = result_of(here / "out")
    assert result.subjects == ("base", "other") and result.details["prompts"] == 3
    # Scripted answers depend on the question alone, so that both say the same.
    assert result.details["comparisons"][0]["outcomes"] == {"identical": 3}
    assert "3 identical" in ended.out and "Not measured: the length model" in ended.out


def test_all_pairs_axes_and_a_chart(run_cai: Cai, here: Path) -> None:
    ended = run_cai(
        *(*ARGUMENTS, *TWICE, "--subject", "third=config:policy", "--all-pairs"),
        *("--axes", "helpfulness,harmlessness", "--chart", "axes.svg", "--folder", "out"),
    )
    assert ended.code == 0, ended.err
    result = result_of(here / "out")
    assert [(c["first"], c["second"]) for c in result.details["comparisons"]] == [
        ("old", "new"),
        ("old", "third"),
        ("new", "third"),
    ]
    assert sum(f.against == "all others" for f in result.figures) == 3
    elo = [f.value for f in result.figures if f.name == "Elo" and f.group == "axis harmlessness"]
    assert len(elo) == 3 and sum(elo) == pytest.approx(0.0, abs=1e-6)
    drawing = ET.fromstring((here / "axes.svg").read_bytes())
    texts = {node.text for node in drawing.iter() if node.tag.endswith("}text")}
    assert {"helpfulness, Elo points", "harmlessness, Elo points"} <= texts
    assert "Axis harmlessness: 36 of 36" in ended.err and "Chart in axes.svg" in ended.out


def test_a_judge_that_guesses_measures_nothing(run_cai: Cai, here: Path) -> None:
    rows = [
        {"input": f"Q{i}?", "output_1": f"right {i}", "output_2": f"wrong {i}", "label": 1 + i % 2}
        for i in range(40)
    ]
    (here / "pairs.json").write_text(json.dumps(rows))
    ended = run_cai(
        *(*ARGUMENTS, *TWICE, "--check", "pairs.json", "--check-limit", 30),
        *("--axes", "helpfulness,harmlessness", "--chart", "axes.svg"),
    )
    assert ended.code == 0, ended.err
    result = result_of(here / "runs" / "evaluate-winrate")
    assert result.evaluators[0].n == 30 and result.evaluators[0].checked_on == "pairs.json"
    assert all(f.value is None for f in result.figures)
    assert "Not measured: not measurable with this evaluator: right in" in ended.out
    assert "Nothing to draw" in ended.out and not (here / "axes.svg").exists()
    assert "Labelled pairs: 30 of 30" in ended.err


def test_revisions(run_cai: Cai, here: Path) -> None:
    policy = ScriptedEngine(name="writer")
    run = cai.Generation.create(
        CONSTITUTION,
        [f"Is {word} the right word here?" for word in ("one", "two", "three", "four", "five")],
        policy=policy,
        run=here / "run",
        loop={"samples": 1, "rounds": 2},
        models={"policy": {"engine": "scripted", "model": "writer"}},
        split={"dev": 0.2, "held_out": 0.2},
    )
    assert len(list(run)) == 5
    ended = run_cai("evaluate", "winrate", "--revisions", "run", "--folder", "out", "--draws", 200)
    assert ended.code == 0, ended.err
    result = result_of(here / "out")
    assert result.subjects == ("original", "revision 1", "revision 2")
    assert result.details["base"] == "original" and 0 < result.details["prompts"] < 5
    assert find(result, "win rate", "revision 2").against == "original"
    for more, says in (
        (("--subject", "a=config:policy"), "takes no --subject"),
        (("--set", "judge.scope=each"), "Add --config FILE"),
    ):
        refused = run_cai("evaluate", "winrate", "--revisions", "run", *more)
        assert refused.code == 2 and says in " ".join(refused.err.split())


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ((), "Nothing to compare"),
        ((*TWICE, "--all-pairs", "--base", "old"), "--all-pairs has no base"),
        (("--subject", "base=config:policy"), "called 'base'"),
        ((*TWICE, "--axes", "kindness"), "no tag of a principle"),
        ((*TWICE, "--chart", "x.svg"), "--chart draws two axes"),
        ((*TWICE, "--base", "nobody"), "no folder or model 'nobody'"),
    ],
)
def test_what_does_not_go_together(
    run_cai: Cai, here: Path, more: tuple[str, ...], says: str
) -> None:
    ended = run_cai(*ARGUMENTS, *more)
    assert ended.code == 2 and says in " ".join(ended.err.split())
    assert "Traceback" not in ended.err and not (here / "runs").exists()


def test_a_base_of_its_own_and_a_judge_that_is_a_subject(run_cai: Cai, here: Path) -> None:
    ended = run_cai(
        *(*ARGUMENTS, "--subject", "new=config:judge", "--base", "old=config:policy"),
        *("--limit", 2, "--scope", "each"),
    )
    assert ended.code == 0, ended.err
    result = result_of(here / "runs" / "evaluate-winrate")
    assert result.subjects == ("old", "new") and result.details["scope"] == "each"
    assert "The judge is the model behind new, too" in ended.out


# --- the chart ---


PLACES = [
    Place("base", (0, 0, 0), (0, 0, 0)),
    Place("<b>dpo</b> & more", (-20, -50, 12), (120, 80, 161)),
    Place("beside it", (-19, -50, 12), (121, 80, 161)),
    Place("x" * 90, (350, 300, 420), (-3, -20, 18)),
]


def test_scatter() -> None:
    chart = scatter_chart("s", "Two axes", PLACES, "helpful, Elo points", "harmless, Elo points")
    check(chart)
    dots = [mark for mark in chart.marks if isinstance(mark, Dot)]
    bars = [mark for mark in chart.marks if isinstance(mark, Line) and mark.look == "range thin"]
    assert len(dots) == 4 and len(bars) == 8
    for dot, flat, upright in zip(dots, bars[::2], bars[1::2], strict=True):
        assert flat.x1 <= dot.x <= flat.x2 and flat.y1 == flat.y2 == dot.y
        assert upright.y2 <= dot.y <= upright.y1 and upright.x1 == dot.x
    # Higher is further up, and more is further right.
    assert dots[1].y < dots[0].y < dots[3].y and dots[1].x < dots[0].x < dots[3].x
    assert chart.table.rows[1][0] == "<b>dpo</b> & more"
    assert chart.table.rows[1][1:] == ("-20.0", "-50.0", "12.0", "120.0", "80.0", "161.0")
    assert "base: 0 [0, 0] across" in chart.desc and "helpful, Elo points across" in chart.desc
    words = [mark for mark in chart.marks if isinstance(mark, Words) and "label" in mark.look]
    boxes = [
        (w.x - (6.2 * len(w.text) if w.anchor == "end" else 0), w.y, 6.2 * len(w.text))
        for w in words
    ]
    for i, (x, y, width) in enumerate(boxes):
        for other_x, other_y, other_width in boxes[:i]:
            apart = x + width <= other_x or other_x + other_width <= x or abs(y - other_y) >= 11
            assert apart


@pytest.mark.parametrize("value", [0.0, 1e-3, -7.0, 123456.0])
def test_scatter_of_one(value: float) -> None:
    place = Place("a", (value, value, value), (value, value - 1, value + 1))
    check(scatter_chart("s", "One", [place], "x, in y", "y, in x"))


def test_the_chart_as_a_file_is_escaped_and_refers_to_nothing() -> None:
    page = render_svg(scatter_chart("s", "A < B", PLACES, "x", "y")).decode()
    root = ET.fromstring(page)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "<b>" not in page and "&lt;b&gt;dpo&lt;/b&gt; &amp; more" in page
    assert "href" not in page and "url(" not in page and "<script" not in page
    assert root[0].text == "A < B" and root[1].text and "95% intervals" in root[1].text
