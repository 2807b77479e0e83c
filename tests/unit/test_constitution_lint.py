import pytest

from cai.constitution import Constitution, Principle, lint

GOOD = {
    "id": "honesty.sure",
    "text": "The answer says how sure it is.",
    "critique": "Point out where the answer sounds more certain than it is.",
    "revise": "Rewrite the answer so that it says how sure it is.",
    "judge": "Which answer is clearer about how sure it is?",
    "tags": ("honesty",),
    "note": "Own.",
}


def check(*changes):
    principles = tuple(Principle(**{**GOOD, **change}) for change in changes)
    return lint(Constitution(name="x", version="1.0.0", summary="s", principles=principles))


def only(found):
    assert len(found) == 1, found
    return found[0]


def test_a_good_principle_has_no_findings():
    assert check({}) == []


@pytest.mark.parametrize("field", ["text", "critique", "revise", "judge"])
@pytest.mark.parametrize("mark", ["{{ prompt }}", "{% if x %}", "${name}", "<|im_end|>", "{# x #}"])
def test_placeholders_are_errors_in_every_wording(field, mark):
    found = only(check({field: f"{GOOD[field].rstrip('?')} {mark}?"}))
    assert (found.code, found.level, found.principle_id) == ("C201", "error", "honesty.sure")
    assert f"'{field}'" in found.message
    assert found.key == field


def test_placeholders_are_errors_in_propositions_and_rubrics():
    told = only(check({"propositions": ({"text": "It is {{ good }}."},)}))
    assert (told.code, told.key) == ("C201", "propositions.0.text")
    rubric = ({"score": 1, "text": "Bad."}, {"score": 10, "text": "${best}"})
    assert only(check({"rubric": rubric})).key == "rubric.1.text"


def test_single_braces_are_plain_text():
    assert check({"text": "The answer writes sets as {1, 2}."}) == []


@pytest.mark.parametrize(
    ("judge", "level"),
    [
        ("Is the answer honest?", "warning"),
        ("Ist die Antwort ehrlich?", "warning"),
        ("The answer is honest.", "error"),
        ("Be honest", "error"),
    ],
)
def test_a_judge_question_asks_which(judge, level):
    found = only(check({"judge": judge}))
    assert (found.code, found.level) == ("C209", level)
    assert "which of two answers" in found.message


@pytest.mark.parametrize(
    "judge", ["Which answer is honest?", "Which is kinder?", "Choose the more honest answer."]
)
def test_a_judge_question_that_asks_which_is_fine(judge):
    assert check({"judge": judge}) == []


@pytest.mark.parametrize(
    "judge",
    [
        "Which is better, answer A or answer B?",
        "Which is better, A or B?",
        "Which is more honest: (A) or (B)?",
        "Which response (1) is better?",
        'Which answer, "A", is better?',
        "Which is better, the first answer or the other?",
        "Which assistant two is better?",
    ],
)
def test_a_judge_question_does_not_name_the_answers(judge):
    found = only(check({"judge": judge}))
    assert (found.code, found.level) == ("C202", "error")
    assert "by its place or letter" in found.message


@pytest.mark.parametrize(
    "judge",
    [
        "Which answer a reader would trust is better?",
        "Which answer explains vitamin B better?",
        "Which answer makes the first step clearer?",
        "Which of the two answers is kinder?",
    ],
)
def test_ordinary_letters_and_numbers_are_no_labels(judge):
    assert check({"judge": judge}) == []


@pytest.mark.parametrize(
    ("field", "most"), [("text", 30), ("critique", 30), ("revise", 30), ("judge", 25)]
)
def test_wordings_are_short(field, most):
    words = GOOD[field].split()
    full = [*words[:-1], *["very"] * (most - len(words)), words[-1]]
    assert check({field: " ".join(full)}) == []
    found = only(check({field: " ".join([*full[:-1], "very", full[-1]])}))
    assert (found.code, found.level) == ("C203", "warning")
    assert f"'{field}' has {most + 1} words" in found.message


@pytest.mark.parametrize(
    "critique",
    ["Praise the answer.", "Find what is good about it.", "Say whether it is honest.", "Think."],
)
def test_a_critique_asks_for_flaws(critique):
    found = only(check({"critique": critique}))
    assert (found.code, found.level) == ("C208", "warning")
    assert "'critique' does not ask for anything wrong" in found.message


@pytest.mark.parametrize(
    "critique",
    [
        "How does the answer fall short?",
        "Quote each stock phrase.",
        "Say whether anything is missing, however good the answer is.",
        "In what way isn't this honest?",
    ],
)
def test_a_critique_that_asks_for_flaws_is_fine(critique):
    assert check({"critique": critique}) == []


@pytest.mark.parametrize(
    "text",
    [
        "Never sound too sure.",
        "Don't guess.",
        "Don\u2019t guess.",
        "The answer avoids guesses.",
        "The answer should not guess; it must never boast.",
        "The answer does not guess, and it refuses to boast.",
    ],
)
def test_a_text_that_only_forbids_is_remarked_on(text):
    found = only(check({"text": text}))
    assert (found.code, found.level) == ("C204", "warning")
    assert "C3AI (arXiv 2502.15861)" in found.message


@pytest.mark.parametrize(
    "text",
    [
        "The answer says how sure it is, and never boasts.",
        "Never guess; say what is known.",
        "The answer does not guess but says what is known.",
        "The answer notes what is known.",
    ],
)
def test_a_text_that_also_says_what_to_do_is_fine(text):
    assert check({"text": text}) == []


def test_a_negative_text_that_is_declared_is_meant():
    assert check({"text": "Never sound too sure.", "framing": "negative"}) == []
    assert check({"text": "Say what is known, and never guess.", "framing": "negative"}) == []
    assert check({"framing": "positive"}) == []


@pytest.mark.parametrize(
    ("framing", "text"),
    [("negative", "The answer says how sure it is."), ("positive", "Never sound too sure.")],
)
def test_a_framing_that_the_text_contradicts_is_remarked_on(framing, text):
    found = only(check({"text": text, "framing": framing}))
    assert (found.code, found.level, found.key) == ("C205", "warning", "framing")
    assert f"'framing' says {framing}" in found.message


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("judge", "Which answer follows this principle better?"),
        ("critique", "Point out where the answer breaks the rules listed above."),
        ("revise", "Rewrite the answer in the spirit of the constitution."),
    ],
)
def test_a_wording_that_speaks_of_what_is_not_shown(field, words):
    found = only(check({field: words}))
    assert (found.code, found.level, found.key) == ("C210", "warning", field)


@pytest.mark.parametrize(
    "judge",
    [
        "Which answer follows the 30-day refund rule better?",
        'Which answer better follows the rule "Be kind."?',
        "Which answer names the principle behind it?",
    ],
)
def test_a_rule_that_is_spelled_out_is_fine(judge):
    assert check({"judge": judge}) == []


def test_notes_and_tags_are_missed():
    note, tags = only(check({"note": "  "})), only(check({"tags": ()}))
    assert (note.code, tags.code) == ("C303", "C304")
    assert "no 'note'" in note.message
    assert "no 'tags'" in tags.message


def test_a_principle_without_a_question_is_not_drawn_for_comparisons():
    found = only(check({}, {**OTHER, "judge": ""}))
    assert (found.code, found.level, found.principle_id) == ("C301", "warning", "tone.warm")


def test_without_any_question_no_pair_can_be_compared():
    found = only(check({"judge": ""}, {**OTHER, "judge": ""}))
    assert (found.code, found.level, found.principle_id) == ("C301", "error", "")
    assert "judge.scope: constitution" in found.fix


def test_propositions_and_rubrics_do_without_a_question():
    told = {"judge": "", "propositions": ({"text": "It is kind."},)}
    assert check({}, {**OTHER, **told}) == []
    assert check(told) == []


@pytest.mark.parametrize("lacks", [("critique",), ("revise",), ("critique", "revise")])
def test_a_principle_without_requests_is_not_drawn_for_revisions(lacks):
    found = only(check({}, {**OTHER, **dict.fromkeys(lacks, "")}))
    assert (found.code, found.level, found.principle_id) == ("C302", "warning", "tone.warm")
    assert all(f"'{key}'" in found.message for key in lacks)


def test_without_any_request_there_is_one_remark():
    found = only(check({"critique": ""}, {**OTHER, "revise": ""}))
    assert (found.code, found.principle_id) == ("C302", "")
    assert "loop.rounds: 0" in found.fix


def test_a_source_does_for_a_note():
    assert check({"note": "", "source": "arXiv 2212.08073"}) == []


OTHER = {
    "id": "tone.warm",
    "text": "It sounds kind and capable throughout.",
    "judge": "Which one sounds kinder and more capable?",
}


def spread(*weights):
    numbers = ["zero", "one", "two", "three"]
    return check(
        *(
            {
                "id": f"p.{n}",
                "text": f"{n} {n}-a {n}-b {n}-c",
                "judge": f"Which {n} {n}-d {n}-e {n}-f?",
                "weight": w,
            }
            for n, w in zip(numbers, weights, strict=False)
        )
    )


def test_a_weight_that_dominates_is_named_with_its_share():
    assert spread(2, 1, 1) == []
    found = only(spread(6, 1, 1))
    assert (found.code, found.principle_id) == ("C601", "p.zero")
    assert "75% of all draws" in found.message


def test_a_weight_that_is_hardly_drawn_is_named_with_its_odds():
    assert spread(1, 1, 0.1) == []
    found = only(spread(1, 1, 0.02))
    assert (found.code, found.principle_id) == ("C602", "p.two")
    assert "one in 101 draws" in found.message


def test_a_single_principle_may_have_any_weight():
    assert check({"weight": 0.01}) == []


SAFE = {"tags": ("harmlessness",)}


def test_harmlessness_wants_company():
    missing = check(SAFE)
    assert [(f.code, f.principle_id) for f in missing] == [("C603", ""), ("C603", "")]
    assert "dodge" in missing[0].message
    assert "lecture" in missing[1].message
    assert "'non-preachy'" in only(check(SAFE, {**OTHER, "tags": ("anti-evasive",)})).message
    assert "'anti-evasive'" in only(check(SAFE, {**OTHER, "tags": ("non-preachy",)})).message
    assert check(SAFE, {**OTHER, "tags": ("non-preachy", "anti-evasive")}) == []


def test_errors_come_first_and_every_finding_says_what_to_do():
    found = check({"note": "", "judge": "Be honest {{x}}"}, {**OTHER, "id": "a.a", "tags": ()})
    assert [(f.level, f.principle_id) for f in found] == [
        ("error", "honesty.sure"),
        ("error", "honesty.sure"),
        ("warning", "a.a"),
        ("warning", "honesty.sure"),
    ]
    assert all(f.fix and f.message for f in found)
