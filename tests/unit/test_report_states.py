"""Runs that are hostile, huge, empty, or in different states of validation."""

import re
from pathlib import Path

import pytest

from cai.errors import StoreError
from cai.report import gather, render_html, render_markdown
from cai.report.sections.people import verdict_note
from cai.report.transcripts import WHOLE
from cai.store import RunStore
from cai.store.gate import GateCheck, GateVerdict, labels_state, write_gate
from tests.unit.report_helpers import Page, label, large_row, make_run, some_rows
from tests.unit.store_helpers import ask, full_row

HOSTILE = (
    "<script>hurt()</script><img src=x onerror=hurt()>\"'{{7*7}}\x1b[31m\u202egpj\x00\U000e0041"
)
DRAWS = 50


def test_hostile_texts_are_inert(tmp_path: Path):
    constitution = {
        "name": HOSTILE,
        "version": HOSTILE,
        "principles": [{"id": "p1", "text": HOSTILE}, {"id": HOSTILE, "text": "t"}],
    }
    run = make_run(tmp_path / "run", some_rows(HOSTILE), constitution=constitution)
    figures = gather(run, draws=DRAWS)
    page = render_html(figures)
    found = Page(page)
    assert not {"script", "img"} & set(found.tags)
    assert not any(name.startswith("on") for name in found.attributes)
    assert "<script>hurt()</script>" in found.text and "{{7*7}}" in found.text
    assert "␛[31m⟦U+202E⟧gpj␀⟦U+E0041⟧" in found.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\U000e0041]", page.decode())
    summary = render_markdown(figures)
    assert "<script" not in summary and not re.search("[\x00-\x09\x0b-\x1f\u202e]", summary)


def test_models_are_named_by_role(tmp_path: Path):
    asked = {"policy": "openai//srv/secret-folder/llama", "critic": "c", "judge": "unused"}
    asked |= {"judges.a": "openai/a", "judges.b": "openai/b", "fallback_judge": "f"}
    run = make_run(tmp_path / "run", some_rows()[:2], fingerprints=asked)
    models = gather(run, draws=DRAWS).made.models
    assert models == (
        *(("critic", "c", "no calls yet"), ("fallback_judge", "f", "no calls yet")),
        *(("judges.a", "openai/a", "no calls yet"), ("judges.b", "openai/b", "no calls yet")),
        ("policy", "openai/llama", "llama-2026"),
    )


def test_nothing_is_left_out_in_silence(tmp_path: Path):
    run = make_run(tmp_path / "run", [], constitution=None, prompts=None, fingerprints=None)
    text = Page(render_html(gather(run, draws=DRAWS))).text
    for sentence in (
        *("This run has no judged pairs", "Not validated by people.", "The gate was not asked"),
        *("There is no reliability diagram", "No pair was judged", "This run made no revisions"),
        *("No verdict was given under a principle", "There are no rows to check yet"),
        *("1,000 judged pairs unknown: no pair was judged", "The constitution has no summary."),
        "No row of the splits train and dev is finished.",
    ):
        assert sentence in text, sentence


@pytest.mark.parametrize("labels", [{}, {"Bot": "first"}])
def test_no_label_by_people_is_no_validation(tmp_path: Path, labels: dict[str, str]):
    run = make_run(tmp_path / "run")
    label(run, labels, "simulated")
    text = Page(render_html(gather(run, draws=DRAWS))).text
    assert "Not validated by people." in text
    assert "people have labelled none of the 8 sampled pairs" in text
    assert ("by simulated annotators" in text) == bool(labels)


def test_a_run_that_changed_says_so(tmp_path: Path):
    run = make_run(tmp_path / "run")
    label(run, {"Ada": "first"})
    with RunStore.open(run, durable=False) as store:
        store.set_meta(plan="another")
    text = Page(render_html(gather(run, draws=DRAWS))).text
    assert "the run has changed since the sample for people was drawn" in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize(
    ("passed", "holds", "level", "words"),
    [
        (True, True, "good", "Validated: the gate was passed on 8 pairs."),
        (False, True, "bad", "Not validated: the gate was not passed."),
        (True, False, "warn", "have changed since"),
    ],
)
def test_the_verdict_of_the_gate(tmp_path: Path, passed: bool, holds: bool, level: str, words: str):
    run = make_run(tmp_path / "run")
    label(run, {"Ada": "second"})
    with RunStore.open(run, durable=False) as store:
        state = labels_state(store) if holds else "another"
        check = GateCheck("labels", "wanted much", "found <b>little</b>", passed)
        write_gate(store, GateVerdict(passed, 8, (check,), "2026-01-02T03:04:05", state))
    figures = gather(run, draws=DRAWS)
    note = verdict_note(figures.people)
    assert (note.level, words in note.text) == (level, True)
    text = Page(render_html(figures)).text
    assert "wanted much found <b>little</b>" in text and words in text


def test_a_thousand_pairs_stay_below_five_megabytes(tmp_path: Path):
    rows = [(large_row(i, 300), "train") for i in range(500)]
    figures = gather(make_run(tmp_path / "run", rows), draws=DRAWS)  # type: ignore[arg-type]
    page = render_html(figures)
    assert figures.summary.judged_pairs == 1000
    assert len(page) < 1_000_000
    assert "leaked" in figures.worst[0].reasons[1]


def test_endless_hostile_texts_are_cut(tmp_path: Path):
    endless = "\u202e<&>" * 8_000
    rows = [(full_row(ask(f"{i} {endless}"), endless, endless), "train") for i in range(10)]
    figures = gather(make_run(tmp_path / "run", rows), draws=DRAWS)  # type: ignore[arg-type]
    assert len(figures.drawn) == len(figures.worst) == 10
    for row in figures.drawn:
        shown = sum(len(text.text) for part in row.parts for text in part.texts)
        assert shown <= WHOLE
    page = render_html(figures)
    assert len(page) < 5_000_000
    assert "more characters are not shown" in Page(page).text


def test_no_run_is_an_error(tmp_path: Path):
    with pytest.raises(StoreError):
        gather(tmp_path)
