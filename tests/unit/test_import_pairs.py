"""`cai import`: published comparisons become a judged run, people's choices become its labels."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from cai.cli.import_ import import_pairs
from cai.config import ValidationConfig
from cai.engines import ScriptedEngine
from cai.engines.given import GivenAnswers
from cai.errors import ChangedRunError, ConfigError, InputError, RowEngineError, UsageError
from cai.records import Message, Prompt, Request, Sampling
from cai.store import RunStore, rows_for
from cai.validation import Labels
from cai.validation.exchange import Comparison, Vote, annotator_names, read_comparisons
from cai.validation.records import item_id
from cai.validation.sampling import make_plan

REAL = Path(__file__).parents[3] / "shared/data/hh-rlhf/harmless-base-test-dev.jsonl.gz"
WORDS = ("river", "apple", "stone", "lamp", "cloud", "paper", "tiger", "music", "bread", "glass")
LONG = "A very long answer. " * 2_000


def dialogue(question: str, answer: str) -> str:
    return f"\n\nHuman: Hello\n\nAssistant: Hi.\n\nHuman: {question}\n\nAssistant: {answer}"


def question(i: int) -> str:
    return f"What of {WORDS[i % 10]}, {WORDS[i // 10]} and number {i}{'?' * (i % 3 + 1)}"


def comparison(i: int) -> dict[str, str]:
    chosen = LONG if i == 0 else f"Good answer {i}."
    return {
        "chosen": dialogue(question(i), chosen),
        "rejected": dialogue(question(i), f"Bad answer {i}."),
    }


ODD = [
    {"chosen": dialogue("One?", "Yes."), "rejected": dialogue("Other?", "No.")},
    {"chosen": dialogue("Same?", "Yes."), "rejected": dialogue("Same?", "Yes.")},
    {"chosen": dialogue("Empty?", "Yes."), "rejected": dialogue("Empty?", "")},
    {"chosen": comparison(3)["rejected"], "rejected": comparison(3)["chosen"]},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "harmless-tiny.jsonl.gz", *map(comparison, range(40)), *ODD)


def write(path: Path, *rows: dict[str, Any]) -> Path:
    text = "\n".join(json.dumps(row) for row in rows).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path


def call(file: Path, *options: object) -> Result:
    app = typer.Typer()
    app.command()(import_pairs)
    run = file.parent / "run"
    arguments = [file, "--run", run, "--engine", "scripted", "--set", "runtime.durable=false"]
    return CliRunner().invoke(app, [str(argument) for argument in (*arguments, *options)])


def done(file: Path, *options: object) -> str:
    result = call(file, *options)
    assert result.exit_code == 0, (result.output, result.exception)
    return " ".join(result.stdout.split())


def labelled(run: Path) -> Counter[str]:
    """Checks that every label names the chosen text; counts the choices."""
    choices: Counter[str] = Counter()
    with RunStore.read(run) as store:
        current = {item: a.annotation for (_, item), a in Labels(store).current().items()}
        for row, _ in rows_for(store, "report"):
            (pair,) = row.pairs
            assert not any(row.revisions)
            assert pair.verdict is not None
            choice = current.pop(item_id(pair.id)).choice
            preferred = {"first": pair.first, "second": pair.second}[str(choice)]
            assert preferred.startswith(("Good", "A very long"))
            choices[str(choice)] += 1
    assert not current
    return choices


def calls(run: Path) -> int:
    with RunStore.read(run) as store:
        return sum(total.calls for total in store.totals())


def test_a_file_becomes_a_run_with_labels(file):
    run = file.parent / "run"
    output = done(file)
    for line in (
        "Comparisons read 44",
        "Left out: a turn is empty 1",
        "Left out: the answers are equal 1",
        "Left out: the dialogues differ before the last answer 1",
        "Left out: the prompt was there before 1",
        "Comparisons taken 40",
        "Rows judged 40 done, 0 failed",
        "Calls of the judge 80",
        "Dollars free",
        "Labels by harmless-tiny (human) 40 new, 0 known",
        f"cai validate plan {run}",
    ):
        assert line in output
    choices = labelled(run)
    assert choices.total() == 40
    assert 10 < choices["first"] < 30
    with RunStore.read(run) as store:
        texts = {
            text
            for row, _ in rows_for(store, "report")
            for text in (row.pairs[0].first, row.pairs[0].second)
        }
        assert LONG.strip() in texts
        assert store.meta("prompts")["path"] == "harmless-tiny.jsonl.gz"
        assert store.meta("fingerprints")["policy"].startswith("given:")
        tokens = {total.stage: total.completion_tokens for total in store.totals()}
        assert tokens["sample"] == 0
        held_out = {row.prompt.id for row, _ in rows_for(store, "validation")}
        assert 10 < len(held_out) < 30


def test_again_asks_nothing_and_changes_nothing(file):
    run = file.parent / "run"
    done(file)
    with RunStore.read(run) as store:
        before = list(Labels(store).actions()), calls(run)
    output = done(file)
    assert "0 new, 40 known" in output
    with RunStore.read(run) as store:
        assert (list(Labels(store).actions()), calls(run)) == before


def test_a_limit_can_be_raised(file):
    run = file.parent / "run"
    assert "Labels by people (human) 10 new" in done(file, "--limit", 10, "--annotator", "people")
    assert calls(run) == 40
    assert "30 new, 10 known" in done(file, "--annotator", "people")
    assert calls(run) == 160
    assert labelled(run).total() == 40


def test_a_plan_draws_held_out_pairs_alone(file):
    done(file)
    with RunStore.open(file.parent / "run", durable=False) as store:
        groups = store.groups("held_out")
        plan, items = make_plan(store, ValidationConfig(), labels=8)
        Labels(store).put_plan(plan, items)
        assert len({item.pair.id for item in items}) == plan.drawn == 8
        assert {item.prompt.id for item in items} <= groups.keys()
        current = {item for _, item in Labels(store).current(kind="human")}
        assert {item.item_id for item in items if not item.repeat} <= current


def test_the_template_may_add_to_the_conversation(file):
    output = done(file, "--limit", 4, "--set", "templates.sample=brief")
    assert "Rows judged 4 done, 0 failed" in output


def test_a_config_keeps_its_judge_and_its_split(file):
    config = file.parent / "cai.yaml"
    config.write_text(
        "prompts: {path: none.txt}\nmodels: {policy: {engine: openai, model: m, logprobs: never}}\n"
        "loop: {samples: 4, rounds: 2}\nsplit: {held_out: 0.8}\njudge: {votes: 1}\n"
    )
    output = done(file, "--config", config)
    assert "Labels by harmless-tiny (human) 40 new" in output
    run = file.parent / "run"
    with RunStore.read(run) as store:
        asked = store.meta("asked")
        assert asked["split.held_out"] == 0.8
        assert asked["models.judge.model"] == "m"
        assert asked["models.judge.logprobs"] == "never"
        assert len(list(rows_for(store, "validation"))) > 24
    assert labelled(run).total() == 40
    output = done(file.rename(file.parent / "b.jsonl.gz"), "--config", config)
    assert "Labels by b (human) 40 new" in output


def test_rows_with_prompt_chosen_and_rejected(tmp_path):
    rows = [
        {"prompt": question(0), "chosen": " Good one. ", "rejected": "Bad one."},
        {
            "prompt": [{"role": "user", "content": question(1)}],
            "chosen": [{"role": "assistant", "content": "Good two."}],
            "rejected": [{"role": "assistant", "content": "Bad two."}],
            "source": "ai",
        },
    ]
    path = write(tmp_path / "rows.jsonl", *rows)
    result = call(path)
    assert isinstance(result.exception, InputError)
    assert "rows.jsonl:2: got a comparison with source 'ai'" in str(result.exception)
    assert not (tmp_path / "run").exists()
    assert "Labels by rows (model) 2 new" in done(path, "--kind", "model")
    assert labelled(tmp_path / "run").total() == 2
    result = call(write(path, rows[0]), "--update")
    assert isinstance(result.exception, UsageError)
    assert "'rows' is model in this run, not human" in str(result.exception)


def test_a_name_that_cannot_be_used_is_found_before_anything_is_judged(file):
    result = call(file, "--limit", 2, "--annotator", "x" * 61)
    assert isinstance(result.exception, UsageError)
    assert "name of 61 characters. Allowed: 1 to 60" in str(result.exception)
    assert not (file.parent / "run" / "run.db").exists()
    one = Comparison(
        Prompt((Message("user", "Hi?"),)), "Yes.", "No.", (Vote(), Vote(annotator="v2"))
    )
    assert annotator_names([one, one], " team ") == ("team", "team v2")
    with pytest.raises(UsageError, match="63 characters"):
        annotator_names([one], "x" * 60)


def test_what_cannot_be_imported(file, tmp_path):
    for rows, message in [
        ([{"chosen": "Hello"}], "odd.jsonl:1: got the dialogue 'Hello'"),
        ([{"chosen": dialogue("One?", "Yes.")}], "got the dialogue 'None'"),
        ([{"prompt": "One?", "chosen": "a"}], "got the answer 'None'"),
        ([{"chosen": "a", "rejected": "b", "messages": []}], "'prompt'"),
        (ODD[:2], "holds no comparison"),
    ]:
        path = write(tmp_path / "odd.jsonl", *rows)
        with pytest.raises(InputError, match=message):
            read_comparisons(path, "human")
    with pytest.raises(InputError, match="which is no file"):
        read_comparisons(tmp_path / "none.jsonl", "human")
    result = call(file, "--set", "loop.rounds=1")
    assert isinstance(result.exception, UsageError)
    assert isinstance(call(file, "--held-out", 0.95).exception, ConfigError)
    done(file)
    result = call(write(file, *map(comparison, range(39))))
    assert isinstance(result.exception, ChangedRunError)
    assert "models.policy.fingerprint" in str(result.exception)


def test_the_order_of_the_answers_does_not_tell_the_chosen_one():
    prompts = [Prompt((Message("user", f"Number {i}?"),)) for i in range(400)]
    # One stock answer is not always in the same place, either.
    firsts = [Comparison(prompt, "Sorry, no.", "Sure.").answers[0] for prompt in prompts]
    assert 160 < firsts.count("Sorry, no.") < 240
    swapped = [Comparison(prompt, "Sure.", "Sorry, no.").answers[0] for prompt in prompts]
    assert swapped == firsts


def test_the_judge_is_closed(file, monkeypatch):
    closed = []

    async def close(self: ScriptedEngine) -> None:
        closed.append(self)

    monkeypatch.setattr(ScriptedEngine, "close", close)
    done(file, "--limit", 1)
    assert len(closed) == 1


async def test_given_answers_answer_nothing_else():
    asked = (Message("user", "Hello?"),)
    engine = GivenAnswers({asked: ("Hi.", LONG)})
    await engine.start()
    got = await engine.complete(Request(asked, Sampling(1), sample_index=1))
    assert (got.text, got.outcome) == (LONG, "answered")
    for request in (
        Request(asked, Sampling(1), sample_index=2),
        Request(asked, Sampling(1), stage="critique"),
        Request((Message("user", "Bye?"),), Sampling(1)),
    ):
        with pytest.raises(RowEngineError, match="was not given"):
            await engine.complete(request)
    await engine.close()
    assert engine.fingerprint == GivenAnswers({asked: ("Hi.", LONG)}).fingerprint
    assert engine.fingerprint != GivenAnswers({asked: (LONG, "Hi.")}).fingerprint


@pytest.mark.skipif(not REAL.is_file(), reason="the data set is not here")
def test_the_published_file(tmp_path):
    link = tmp_path / REAL.name
    link.symlink_to(REAL)
    output = done(link, "--limit", 20)
    assert "Comparisons read 1,156" in output
    assert "Labels by harmless-base-test-dev (human) 20 new" in output
    first = [one.answers[0] == one.chosen for one in read_comparisons(REAL, "human").comparisons]
    assert 0.45 < sum(first) / len(first) < 0.55
