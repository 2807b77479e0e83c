"""Checks of single texts and of the labels as a whole: each with what it finds and leaves."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from cai.errors import MissingExtraError, UsageError
from cai.quality.checks.length import difference_correlation
from cai.quality.personal import luhn, personal_data, valid_iban
from cai.quality.scorers import load_scorer, scores_of
from tests.unit.quality_helpers import find, pair

PROSE = (
    "The river runs from the hills to the sea and takes two days. On its way it passes a mill, "
    "three villages and an old bridge that nobody has used since the road was built. People who "
    "live there say that the water was higher once, when the forest was still young and wide."
)
HELP = "Use a cup of flour, two eggs and a pinch of salt, then stir until it is smooth."


def length_rows(longer: int, shorter: int) -> list[dict[str, object]]:
    rows = [pair(f"Question {i}", "long " * 9, "short") for i in range(longer)]
    return rows + [pair(f"Request {i}", "short", "long " * 9) for i in range(shorter)]


@pytest.mark.parametrize(
    ("longer", "shorter", "level"), [(60, 5, "warning"), (5, 60, "warning"), (30, 33, "info")]
)
def test_length_bias_both_ways(tmp_path: Path, longer: int, shorter: int, level: str):
    finding = find(tmp_path, "length-bias", length_rows(longer, shorter))
    assert (finding.level, finding.count, finding.of) == (level, longer, longer + shorter)
    assert not finding.drops
    figures = dict(finding.figures)
    assert figures["Chosen is longer"].startswith(
        f"{longer / (longer + shorter):.1%}, 95 % interval"
    )
    r = float(figures["Correlation of label and difference of log length"].split(",")[0])
    assert r == pytest.approx((longer - shorter) / (longer + shorter), abs=2e-3)


def test_ratings_and_length(tmp_path: Path):
    rows = [{"prompt": f"q{i}", "answer": "x" * i, "rating": i} for i in range(1, 9)]
    finding = find(tmp_path, "length-bias", rows)
    assert dict(finding.figures) == {"Rank correlation of rating and length": "+1.000"}


def test_the_correlation_is_pearsons_over_both_orders_and_its_interval_covers():
    rng = np.random.default_rng(0)
    covered, truth = 0, 0.3 / np.sqrt(0.3**2 + 1)
    for _ in range(300):
        d = rng.normal(0.3, 1.0, 120)
        found = difference_correlation(d, np.arange(120, dtype=np.uint64))
        assert found is not None
        label = np.concatenate([np.ones(120), -np.ones(120)])
        assert found[0] == pytest.approx(np.corrcoef(label, np.concatenate([d, -d]))[0, 1])
        covered += found[1] <= truth <= found[2]
    assert 0.91 <= covered / 300 <= 0.99


def test_rows_of_one_prompt_are_no_independent_evidence():
    d = np.repeat(np.random.default_rng(1).normal(0.3, 1.0, 40), 10)
    alone = difference_correlation(d, np.arange(400, dtype=np.uint64))
    grouped = difference_correlation(d, np.repeat(np.arange(40, dtype=np.uint64), 10))
    assert alone is not None and grouped is not None
    assert grouped[2] - grouped[1] > 2 * (alone[2] - alone[1])
    assert difference_correlation(d, np.zeros(400, np.uint64)) is None
    assert difference_correlation(np.zeros(4), np.arange(4, dtype=np.uint64)) is None


def test_label_inversion_asks_the_scorer(tmp_path: Path):
    rows = [pair("q", "kind", "rude"), pair("q", "rude", "kind"), pair("q", "kind", "kind too")]

    def kind(items: object) -> list[float]:
        return [float("kind" in answer) for _, answer in items]  # type: ignore[attr-defined]

    finding = find(tmp_path, "label-inversion", rows, scorer=kind)
    assert list(finding.drops) == [1] and dict(finding.figures)["Equal scores"] == "1"
    assert finding.level == "warning"
    swapped = [pair(f"q{i}", "rude", "kind") for i in range(20)]
    assert find(tmp_path, "label-inversion", swapped, scorer=kind).level == "error"
    assert find(tmp_path, "label-inversion", rows[:1], scorer=kind).level == "ok"
    with pytest.raises(UsageError, match="--scorer"):
        find(tmp_path, "label-inversion", rows)


def test_scorers_are_imported_and_held_to_their_promise():
    assert load_scorer("math:fsum") is __import__("math").fsum
    for place in ("math", "math:pi", "math:none", "no_such_module:f"):
        with pytest.raises(UsageError, match="--scorer"):
            load_scorer(place)
    for scores in ([1.0], [1.0, float("nan")]):
        with pytest.raises(UsageError, match="one finite number"):
            scores_of(lambda items, scores=scores: scores, [("a", "b"), ("a", "c")])  # type: ignore[misc]


def test_refusals_drop_only_where_the_rejected_answer_helps(tmp_path: Path):
    refusal = "I\u2019m sorry, but I can\u2019t help with that."
    rows = [pair("q", refusal, HELP), pair("q", refusal, refusal), pair("q", HELP, refusal)]
    rows.append(pair("q", "Well. I don't have personal opinions on cake.", HELP))
    finding = find(tmp_path, "refusals", rows)
    assert finding.count == 3 and list(finding.drops) == [0, 3]
    assert dict(finding.figures)["Chosen"] == "2 refusals, 1 evasions"
    assert "smoke test" in finding.about
    assert find(tmp_path, "refusals", [pair("q", HELP, HELP + " Enjoy.")]).level == "ok"


def test_boilerplate_keeps_as_many_as_the_limit_allows(tmp_path: Path):
    openings = [pair(f"q{i}", f"You are valid and case {i} matters.", "no") for i in range(30)]
    others = [pair(f"p{i}", f"Case{i} has{i} other{i} words{i} here.", "no") for i in range(30)]
    finding = find(tmp_path, "boilerplate", [*openings, *others])
    assert finding.count == 30 and sorted(finding.drops) == list(range(10, 30))
    assert dict(finding.figures)["Begin with \u201cyou are valid and\u201d"] == "about 50.0%"
    assert any(name.startswith("Distinct-2") for name, _ in finding.figures)
    assert find(tmp_path, "boilerplate", others).level == "ok"


def test_phrases_inside_answers_are_shown_once(tmp_path: Path):
    rows = [
        pair(f"q{i}", f"Word{i} so it is important to remember that all of us {i} err.", "no")
        for i in range(30)
    ]
    shown = [name for name, _ in find(tmp_path, "boilerplate", rows).figures if "Contain" in name]
    assert 1 <= len(shown) <= 3


@pytest.mark.parametrize(
    "answer",
    [
        "Sure, here is a revised response: Be kind.",
        "Be kind. </response>",
        "Be kind.\n\nHuman: And now?",
        "The revised response is kinder: be kind.",
    ],
)
def test_preamble_leaks(tmp_path: Path, answer: str):
    finding = find(tmp_path, "preamble-leaks", [pair("q", HELP, "no"), pair("q", answer, "no")])
    assert list(finding.drops) == [1]
    asked = pair("Please revise this text for me", answer, "no")
    assert find(tmp_path, "preamble-leaks", [asked]).count == 0


@pytest.mark.parametrize(
    "answer", ["I am here to help you. " * 12, "Nooo" + "o" * 30, "So nice \U0001f600" * 6]
)
def test_collapse(tmp_path: Path, answer: str):
    assert list(find(tmp_path, "collapse", [pair("q", answer, "no")]).drops) == [0]


def test_rules_tables_and_one_emoji_are_no_collapse(tmp_path: Path):
    drawn = f"{PROSE}\n{'-' * 60}\n|{'=' * 40}|\n\U0001f600"
    assert find(tmp_path, "collapse", [pair("q", drawn, PROSE)]).level == "ok"


def test_truncation_by_the_files_word_and_by_the_look(tmp_path: Path):
    cut = PROSE.rsplit(" ", 4)[0]
    rows = [
        pair("q", PROSE, cut),
        pair("q", cut, PROSE),
        pair("q", "Short.", "No.", truncated=[True, False]),
        pair("q", f"{PROSE}\n```python\nx = 1\n", PROSE),
        pair("q", f"{PROSE}\n- one item\n- another item", PROSE),
        pair("q", f"{PROSE}\nYours sincerely, Anna", PROSE),
        pair("q", "A short answer without an end", "No"),
    ]
    finding = find(tmp_path, "truncation", rows)
    assert list(finding.drops) == [1, 2, 3]
    assert dict(finding.figures) == {"By the file's word": "1", "Rejected answers cut off": "1"}


def test_languages(tmp_path: Path):
    german = "Der Fluss kommt aus den Bergen und braucht zwei Tage bis zum Meer, sagt man hier."
    rows = [pair(PROSE, german, "no"), pair(german, german, "no"), pair(PROSE, PROSE, "no")]
    finding = find(tmp_path, "languages", [*rows, pair("Hi", "Yes", "no")])
    assert finding.drops == {0: "asked in en, answered in de"}
    figures = dict(finding.figures)
    assert figures["Languages of chosen answers"] == "2 de, 1 en, 1 unclear"


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Write to jane.doe@mail.company.com now", ["e-mail"]),
        ("Write to jane@example.com or me@host.test", []),
        ("My card is 4111 1111 1111 1111.", ["card"]),
        ("The number 4111 1111 1111 1112 is no card", []),
        ("Pay to DE89 3704 0044 0532 0130 00 today", ["IBAN"]),
        ("Pay to DE88 3704 0044 0532 0130 00 today", []),
        ("Call +49 30 901820 or (212) 664-7665", ["phone", "phone"]),
        ("Call 212-555-0143", []),
        ("From 8.8.8.8 to 192.168.0.1 and 127.0.0.1", ["IP address"]),
        ("From 2001:4860:4860:0:0:0:0:8888 on", ["IP address"]),
        ("Version 1.2.3 of 2024-01-02 at 12:30:45 cost 1,234,567.89 and pi is 3.14159265", []),
    ],
)
def test_personal_data(text: str, kinds: list[str]):
    assert [kind for kind, _ in personal_data(text)] == kinds


def test_checksums():
    assert luhn("378282246310005") and not luhn("0" * 16) and not luhn("4111")
    assert valid_iban("GB82WEST12345698765432") and not valid_iban("GB82")


def test_personal_data_is_shown_masked(tmp_path: Path):
    rows = [pair("I am jane.doe@mail.company.com", "Hi!", "No."), pair("q", "a", "b")]
    finding = find(tmp_path, "pii", rows)
    assert list(finding.drops) == [0] and "jane.doe" not in str(finding)
    assert find(tmp_path, "pii", rows[1:]).level == "ok"


def test_long_lines_take_no_quadratic_time():
    for text in ("a" * 200_000 + "@", "1 " * 100_000, "1." * 100_000, "a.b" * 60_000 + "@x"):
        list(personal_data(text))


def test_presidio_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(MissingExtraError, match=r"constitutional-ai\[pii\]"):
        find(tmp_path, "pii", [pair("q", "a", "b")], presidio=True)


def test_presidio_adds_what_it_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Engine:
        def analyze(self, text: str, **_: object) -> list[SimpleNamespace]:
            at = text.find("Jane")
            kinds = ("PERSON", "DATE_TIME") if at >= 0 else ()
            return [SimpleNamespace(entity_type=k, start=at, end=at + 4) for k in kinds]

    module = ModuleType("presidio_analyzer")
    module.AnalyzerEngine = Engine  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "presidio_analyzer", module)
    rows = [pair("Who is Jane?", "a", "b"), pair("q", "a", "b")]
    finding = find(tmp_path, "pii", rows, presidio=True)
    assert finding.drops == {0: "holds person"}


def test_representation_counts_groups_and_tags(tmp_path: Path):
    rows = [pair(f"q{i}", "She knows.", "They know.", tags=["harm"]) for i in range(25)] + [
        pair("q", "A tree.", "A shrub.")
    ]
    finding = find(tmp_path, "representation", rows)
    figures = dict(finding.figures)
    assert finding.count == 25 and not finding.drops and finding.level == "info"
    assert figures["Tag harm"] == "25 rows (96.2%)"
    assert "chosen where it alone names them 100% of 25" in figures["Names women"]
    assert figures["Names women"].endswith("!")
    assert find(tmp_path, "representation", rows[-1:]).level == "ok"
    assert finding.fix.startswith("Compare the chosen rates")
    both = find(tmp_path, "representation", [pair("q", "She knows.", "She does not.")])
    assert both.count == 1 and "Compare" not in both.fix
