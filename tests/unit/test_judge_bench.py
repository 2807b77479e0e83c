"""Formats of labelled pairs, and `cai judge` from the command line."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from cai.cli import judge
from cai.cli.import_ import import_pairs
from cai.cli.published import stem
from cai.errors import InputError, UsageError
from cai.store import RunStore
from cai.validation import Labels
from cai.validation.exchange import Comparison, generators_of, read_comparisons
from cai.validation.exchange.published import FORMATS, Vote, compared_rows
from cai.validation.exchange.published.comparison import compared

DATA = Path(__file__).parents[3] / "shared/data"
REAL = {
    "llmbar/Natural/dataset.json": ("llmbar", 100),
    "llmbar/Adversarial/GPTInst/dataset.json": ("llmbar", 92),
    "hh-rlhf/harmless-base-test-dev.jsonl.gz": ("hh-rlhf", 1156),
}


def write(path: Path, content: Any) -> Path:
    """A list as JSON lines, anything else as one document."""
    if isinstance(content, str):
        path.write_text(content)
    elif isinstance(content, tuple):
        path.write_text("\n".join(json.dumps(row) for row in content))
    else:
        path.write_text(json.dumps(content, indent=2))
    return path


def read(path: Path, format: str = "auto") -> tuple[Comparison, ...]:
    return read_comparisons(path, "human", format).comparisons  # type: ignore[arg-type]


LLMBAR = [
    {"input": "One?", "output_1": "good", "output_2": "bad", "label": 1},
    {"input": "Two?", "output_1": "bad ", "output_2": " good", "label": 2},
]


# --- formats ---


@pytest.mark.parametrize("layout", ["list", "lines", "one line", "gzip"])
def test_llmbar(tmp_path, layout):
    path = tmp_path / "dataset.json"
    if layout == "gzip":
        path.write_bytes(gzip.compress(json.dumps(LLMBAR).encode()))
    else:
        content = {"list": LLMBAR, "lines": tuple(LLMBAR), "one line": json.dumps(LLMBAR)}[layout]
        write(path, content)
    first, second = read(path)
    assert (first.chosen, first.rejected, first.turned, first.label) == (
        *("good", "bad", False),
        "first",
    )
    assert (second.chosen, second.rejected, second.turned, second.label) == (
        *("good", "bad", True),
        "second",
    )
    assert first.prompt.messages[0].content == "One?"
    assert read_comparisons(path, "human").format == "llmbar"


HHH = {
    "big-bench": [
        {"input": "One?", "target_scores": {"bad": 0, "good": 1}},
        {"input": "Two?", "target_scores": {"good": 1, "bad": 0}},
    ],
    "hub": [
        {"input": "One?", "targets": {"choices": ["good", "bad"], "labels": [1, 0]}},
        {"input": "Two?", "targets": {"choices": ["bad", "good"], "labels": [0, 1]}},
    ],
    "options": [
        {"prompt": "One?", "options": ["good", "bad"], "gold": 0},
        {"prompt": "Two?", "options": ["bad", "good"], "gold": "good"},
    ],
}


@pytest.mark.parametrize("kind", HHH)
def test_hhh(tmp_path, kind):
    for content in (HHH[kind], tuple(HHH[kind])):
        found = read_comparisons(write(tmp_path / "task.json", content), "human")
        assert found.format == "hhh"
        assert [(c.chosen, c.rejected) for c in found.comparisons] == [("good", "bad")] * 2
        assert [c.prompt.messages[0].content for c in found.comparisons] == ["One?", "Two?"]


def test_a_task_of_big_bench(tmp_path):
    task = {"name": "hhh", "metrics": ["multiple_choice_grade"], "examples": HHH["big-bench"]}
    assert len(read(write(tmp_path / "task.json", task))) == 2
    assert len(read(write(tmp_path / "line.json", json.dumps(task)))) == 2


def test_hhh_dialogues_ties_and_more_options(tmp_path):
    rows = [
        {
            "input": "\n\nHuman: One?\n\nAssistant: Hm.\n\nHuman: Two?\n\nAssistant:",
            "target_scores": {"good": 1, "bad": 0},
        },
        {"input": "Three?", "target_scores": {"good": 1, "fine": 1}},
        {"input": "Four?", "target_scores": {"a": 1, "b": 0, "c": 0}},
    ]
    found = read_comparisons(write(tmp_path / "t.json", rows), "human")
    talk, tie = found.comparisons
    assert [turn.content for turn in talk.prompt.messages] == ["One?", "Hm.", "Two?"]
    assert (tie.label, tie.votes) == ("tie", (Vote("tie"),))
    assert found.left_out == {"there are more or fewer than two options": 1}


PANDALM = """[
  {"idx": 0, "cmp_key": "bloom-7b_llama-7b", "instruction": "Rewrite.", "input": "A text.",
   "response1": "bad", "response2": "good", "annotator1": 2, "annotator2": 2, "annotator3": 1},
  {"idx": 1, "cmp_key": "opt-7b_llama-7b", "instruction": "List.", "input": NaN,
   "response1": "one", "response2": "two", "annotator1": 0, "annotator2": 0, "annotator3": 1},
  {"idx": 2, "cmp_key": "opt-7b_bloom-7b", "instruction": "List.", "input": NaN,
   "response1": "one", "response2": "three", "annotator1": 1, "annotator2": 1, "annotator3": 1}
]"""


def test_pandalm(tmp_path):
    found = read_comparisons(write(tmp_path / "testset-v1.json", PANDALM), "human")
    one, two = found.comparisons
    assert found.format == "pandalm"
    assert found.left_out == {"the prompt was there before": 1}
    assert one.prompt.messages[0].content == "Rewrite.\n\nA text."
    assert (one.chosen, one.models, one.label) == ("good", ("llama-7b", "bloom-7b"), "second")
    assert one.votes == (
        Vote("chosen", "annotator1"),
        Vote("chosen", "annotator2"),
        Vote("rejected", "annotator3"),
    )
    assert two.prompt.messages[0].content == "List."
    assert (two.label, two.models) == ("tie", ("opt-7b", "llama-7b"))


def test_plain_rows(tmp_path):
    rows = (
        {"prompt": "One?", "chosen": "good", "rejected": "bad", "chosen_model": "m1"},
        {"prompt": "Two?", "first": "bad", "second": "good", "label": "second"},
        {"prompt": "Three?", "first": "x", "second": "y", "label": 0},
        {
            "prompt": "Four?",
            "first": "good",
            "second": "bad",
            "label": "A",
            "first_model": "m1",
            "second_model": "m2",
        },
    )
    found = read_comparisons(write(tmp_path / "rows.jsonl", rows), "human")
    assert found.format == "jsonl"
    assert [one.label for one in found.comparisons] == ["first", "second", "tie", "first"]
    assert [one.chosen for one in found.comparisons] == ["good", "good", "x", "good"]
    assert [one.models for one in found.comparisons] == [None, None, None, ("m1", "m2")]


def test_votes_that_are_even_or_absent(tmp_path):
    prompt = read(write(tmp_path / "x.json", LLMBAR))[0].prompt
    even = compared(prompt, "a", "b", [("x", "first"), ("y", "second")])
    assert isinstance(even, Comparison)
    assert (even.label, even.chosen) == ("tie", "a")
    assert compared(prompt, "a", "b", []) == "nobody chose"
    assert compared(prompt, "a ", "a", [("", "first")]) == "the answers are equal"
    assert compared(prompt, " ", "a", [("", "first")]) == "an answer is empty"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([{"question": "One?"}], r"odd.json:1: got a row with 'question'. Allowed: "),
        ([{**LLMBAR[0], "label": 3}], "got the label '3'"),
        ([{**LLMBAR[0], "label": True}], "got the label 'True'"),
        ([{**LLMBAR[0], "output_2": 7}], "got the answer '7'"),
        ([LLMBAR[0], 7], "odd.json:2: got '7' in the list"),
        ([{"input": "One?", "options": ["a", "b"], "gold": 5}], "'options' and 'gold'"),
        ([{"input": "One?", "target_scores": {"a": "x", "b": 0}}], "'target_scores'"),
        ({"name": "x"}, "one whole JSON object per line"),
        ("[{]", "broken JSON"),
        ('{"input": "One?",\n"output_1": ', "odd.json:1: got"),
        ("", "holds no comparison"),
        ([], "holds no comparison"),
    ],
)
def test_what_cannot_be_read(tmp_path, content, said):
    with pytest.raises(InputError, match=said):
        read(write(tmp_path / "odd.json", content))


def test_a_format_can_be_named(tmp_path):
    path = write(tmp_path / "x.json", LLMBAR)
    for format in set(FORMATS) - {"auto", "llmbar"}:
        with pytest.raises(InputError):
            read(path, format)
    assert len(read(path, "llmbar")) == 2
    with pytest.raises(InputError, match=r"Did you mean 'llmbar'|llmbar"):
        read(path, "lmbar")
    assert [name for name, _, _ in compared_rows(path, "human")] == ["llmbar", "llmbar"]


def test_names_of_files():
    assert stem(Path("harmless.jsonl.gz")) == "harmless"
    assert stem(Path("LLMBar/Natural/dataset.json")) == "Natural"


# --- commands ---


def call(*arguments: object, app: typer.Typer = judge.app) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def done(*arguments: object, app: typer.Typer = judge.app) -> str:
    result = call(*arguments, app=app)
    assert result.exit_code == 0, (result.output, result.exception)
    return " ".join(result.stdout.split())


WORDS = ("river", "apple", "stone", "lamp", "cloud", "paper", "tiger", "music", "bread", "glass")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [
        {
            "input": f"What of {WORDS[i % 10]}, {WORDS[i // 10]} and number {i}?",
            "output_1": f"A good answer{' indeed' * (i % 3)}, number {i}.",
            "output_2": f"A bad answer, number {i}.",
            "label": 1 + i % 2,
        }
        for i in range(40)
    ]
    return write(tmp_path / "pairs.json", rows)


def options(file: Path) -> tuple[object, ...]:
    run = file.parent / "run"
    quick = ("--engine", "scripted", "--set", "runtime.durable=false", "--draws", 100)
    return ("bench", "--data", file, "--run", run, *quick)


def calls(run: Path) -> int:
    with RunStore.read(run) as store:
        return sum(total.calls for total in store.totals())


def test_bench_judges_and_reports(file):
    run, record = file.parent / "run", file.parent / "report.json"
    output = done(*options(file), "--json", record)
    for line in (
        "Format llmbar",
        "Read 40",
        "Taken 40",
        "Pairs judged 40",
        "Single answers 80 answered",
        "Gold labels 40, by human annotators (0 ties)",
        "Calls of the judge 80",
        "Price of 1,000 pairs free",
        "Verdicts of the run",
        "Both orders averaged",
        "One order, mean over both",
        "Both − one",
        "Both orders name the same",
        "Prefers what is shown first",
        "Rule: the longer wins",
        "gold answer p 40",
        "Not run: the file does not say which models wrote the answers.",
    ):
        assert line in output
    assert "good answer" not in output
    found = json.loads(record.read_bytes())
    assert found["accuracy"]["n"] == found["gold"]["pairs"] == 40
    accuracy = found["accuracy"]
    gap = accuracy["both"]["estimate"] - accuracy["single"]["estimate"]
    assert accuracy["difference"]["estimate"] == pytest.approx(gap)
    with RunStore.read(run) as store:
        (annotator,) = Labels(store).annotators()
    assert (annotator.name, annotator.kind) == ("pairs", "human")


def test_nothing_is_asked_twice(file):
    run = file.parent / "run"
    assert "Taken 10" in done(*options(file), "--limit", 10)
    assert calls(run) == 40  # two answers that were given and two orders for each pair
    first = done(*options(file))
    assert calls(run) == 160
    assert done(*options(file)) == first
    assert calls(run) == 160
    whole = done("report", run, "--draws", 100)
    assert whole in first
    dev = done("report", run, "--draws", 100, "--split", "dev", "--split", "held_out")
    assert "dev and held_out alone" in dev
    assert "Pairs judged 40" not in dev


def test_the_default_run_is_named_after_the_file(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    data, quick = options(file)[:3], options(file)[5:]
    assert "in runs/bench-pairs" in done(*data, *quick, "--limit", 2)


def test_pandalm_brings_annotators_and_models(tmp_path):
    path = write(tmp_path / "testset.json", PANDALM)
    output = done(*options(path), "--seed", 3, "--set", "models.judge.model=llama-7b")
    assert "Gold labels 2, by human annotators (1 ties)" in output
    assert "Judge prefers its own not run 2" not in output
    with RunStore.read(tmp_path / "run") as store:
        names = {annotator.name for annotator in Labels(store).annotators()}
        assert names == {f"testset annotator{i}" for i in (1, 2, 3)}
        models = set(generators_of(store).values())
        assert {frozenset(pair) for pair in models} == {
            frozenset({"bloom-7b", "llama-7b"}),
            frozenset({"opt-7b", "llama-7b"}),
        }
    assert "Judge prefers its own" in output
    assert "Judge − gold" in output


def test_import_reads_the_formats_too(file):
    app = typer.Typer()
    app.command()(import_pairs)
    run = file.parent / "imported"
    quick = ("--engine", "scripted", "--set", "runtime.durable=false")
    output = done(file, "--run", run, "--format", "llmbar", *quick, app=app)
    assert "Labels by pairs (human) 40 new" in output


def test_bench_calibrates_from_its_dev_pairs(file):
    run = file.parent / "run"
    done(*options(file), "--set", "split.dev=0.7", "--set", "split.held_out=0.1")
    output = done("calibrate", run, "--draws", 100)
    assert "AI labels that people contradict" in output


def test_relabel(tmp_path):
    rows = (
        {"prompt": "One?", "chosen": "A good one.", "rejected": "A bad one.", "p": 0.9, "x": 1},
        {"prompt": "One?", "chosen": "Another good one.", "rejected": "A bad one."},
        {"prompt": "Two?", "first": "A bad one.", "second": "A good one.", "label": "second"},
        {"prompt": "One?", "chosen": "A bad one.", "rejected": "A good one."},
        {"prompt": "Three?", "chosen": "Same.", "rejected": "Same."},
    )
    path, out, run = write(tmp_path / "old.jsonl", rows), tmp_path / "new.jsonl", tmp_path / "run"
    quick = ("--engine", "scripted", "--set", "runtime.durable=false")
    output = done("relabel", path, "--out", out, "--run", run, *quick)
    assert f"5 rows in {out}" in output
    found = [json.loads(line) for line in out.read_text().splitlines()]
    for before, after in zip(rows, found, strict=True):
        assert {key: after[key] for key in before if key != "p"} == {
            key: value for key, value in before.items() if key != "p"
        }
    assert found[0]["p_before"] == 0.9
    assert [r["label_before"] for r in found] == ["first", "first", "second", "first", None]
    assert found[3]["p"] == pytest.approx(1.0 - found[0]["p"])
    swapped = {"first": "second", "second": "first", "tie": "tie"}
    assert found[3]["outcome"] == swapped[found[0]["outcome"]]
    assert found[4]["outcome"] == "not judged: the answers are equal"
    assert (tmp_path / "run-2").is_dir()  # the prompt's other pair
    assert not (tmp_path / "run-3").exists()
    before = calls(run), calls(tmp_path / "run-2")
    assert done("relabel", path, "--out", out, "--run", run, *quick) == output
    assert (calls(run), calls(tmp_path / "run-2")) == before
    result = call("relabel", path, "--out", path, "--run", run)
    assert isinstance(result.exception, UsageError)


@pytest.mark.parametrize("name", REAL)
def test_the_published_files(tmp_path, name):
    path = DATA / name
    if not path.is_file():
        pytest.skip("the data set is not here")
    format, count = REAL[name]
    found = read_comparisons(path, "human")
    assert (found.format, found.read, len(found.comparisons)) == (format, count, count)
    quick = ("--engine", "scripted", "--set", "runtime.durable=false", "--draws", 100)
    output = done("bench", "--data", path, "--run", tmp_path / "run", "--limit", 20, *quick)
    assert "Gold labels 20, by human annotators (0 ties)" in output


def test_hh_rlhf_is_longer_as_often_as_was_measured():
    path = DATA / "hh-rlhf/harmless-base-test-dev.jsonl.gz"
    if not path.is_file():
        pytest.skip("the data set is not here")
    longer = [len(one.chosen) > len(one.rejected) for one in read(path)]
    # 44.2 % of the whole test set, of which this is half.
    assert sum(longer) / len(longer) == pytest.approx(0.442, abs=0.02)
