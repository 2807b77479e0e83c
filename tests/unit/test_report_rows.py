"""Which rows are shown, and how their texts are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cai.quality import Finding
from cai.records import Response, Revision, Row
from cai.report.choice import drawn_rows, faults_of, worst_rows
from cai.report.transcripts import TEXT, WHOLE, show_row
from cai.report.visible import cut, visible
from cai.store import RunStore
from tests.unit.report_helpers import make_run
from tests.unit.store_helpers import PLAN, ask, full_row

PRINCIPLES = {"p1": "Be kind.", "p2": "x" * 1000}


def finding(level: str) -> Finding:
    return Finding("some-check", "rows", level, 1, 2, "Mend it.")  # type: ignore[arg-type]


def test_faults_are_as_defined():
    row = full_row(ask("?"))
    # The orders of its two pairs: 0.2 and 0.9, 0.8 and 0.8.
    assert faults_of(row).score == pytest.approx(0.6)
    assert faults_of(row).reasons == ("the two orders differ by 0.60",)
    outcomes = ("leaked", "revised", "truncated", "skipped")
    chain = tuple(Revision(i, "p1", o, "t") for i, o in enumerate(outcomes, 1))  # type: ignore[arg-type]
    failed = Row(ask("?"), PLAN, revisions=(chain,))
    assert faults_of(failed).score == 0.5
    assert faults_of(failed).reasons == ("2 of 4 revisions failed (leaked, truncated)",)
    found = faults_of(failed, [finding("warning"), finding("error"), finding("info")])
    assert found.score == 1.5
    assert found.reasons[1:] == ("some-check (warning)", "some-check (error)")
    assert faults_of(Row(ask("?"), PLAN)).score == 0


def test_rows_are_drawn_by_a_hash_and_the_worst_come_first(tmp_path):
    with RunStore.read(make_run(tmp_path / "run")) as store:
        drawn = [drawn_rows(store, PRINCIPLES, seed, 5) for seed in (0, 0, 1)]
        worst = worst_rows(store, PRINCIPLES, {drawn[0][3].id: [finding("error")]}, 4)
    assert drawn[0] == drawn[1] and drawn[0] != drawn[2]
    assert all(row.split in ("train", "dev") for rows in drawn for row in rows)
    assert worst[0].id == drawn[0][3].id and len(worst) == 4
    assert [row.id for row in worst[1:]] == sorted(row.id for row in worst[1:])


def test_a_transcript_tells_everything_once():
    shown = show_row(full_row(ask("How?", "tag")), "train", PRINCIPLES)
    assert [part.title for part in shown.parts] == [
        *("Prompt", "Sample 0: answered", "Sample 1: answered"),
        *("Sample 0, round 1: revised", "Sample 0, round 2: revised"),
        *("Pair (revision): second", "Pair (samples): tie"),
    ]
    first = shown.parts[3]
    assert first.facts == ("p1: Be kind.",)
    assert [text.label for text in first.texts] == ["Critique", "Cut off", "Revision"]
    assert len(shown.parts[4].facts[0]) < 320
    facts = " ".join(shown.parts[5].facts)
    assert "p(first is better) = 0.150" in facts
    assert "order AB: p(shown first) = 0.200; order BA: p(shown first) = 0.900" in facts
    assert "name different winners" in " ".join(shown.parts[6].facts)


def test_long_rows_are_cut_with_a_note():
    long = "x" * 10_000
    samples = tuple(Response(long, long, "answered", f"s{i}") for i in range(30))
    shown = show_row(Row(ask("?"), PLAN, samples=samples), "dev", {})
    assert shown.parts[1].texts[0].left_out == 10_000 - TEXT
    assert shown.parts[-1].title == "Cut" and len(shown.parts) < 15
    assert sum(len(t.text) for part in shown.parts for t in part.texts) <= WHOLE


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x9b2J", "␛[31mred⟦U+009B⟧2J"),
        ("user\u202egpj\u2067", "user⟦U+202E⟧gpj⟦U+2067⟧"),
        ("nul\x00byte\x7f", "nul␀byte␡"),
        ("a\r\nb\rc", "a\nb␍c"),
        ("  two\n\n\tand a tab", "  two\n\n\tand a tab"),
        ("zero\u200bwidth\ufeff soft\xad", "zero⟦U+200B⟧width⟦U+FEFF⟧ soft⟦U+00AD⟧"),
        ("join\u200d \ud800", "join\u200d ⟦U+D800⟧"),
    ],
)
def test_what_acts_is_made_visible(text: str, shown: str):
    assert visible(text) == shown == visible(shown)


@given(st.text(), st.integers(0, 40))
def test_a_cut_text_fits_and_counts_what_is_missing(text: str, most: int):
    shown, left_out = cut(text, most)
    assert len(shown) <= most and shown == visible(shown)
    assert (left_out == 0) == (shown == visible(text))
