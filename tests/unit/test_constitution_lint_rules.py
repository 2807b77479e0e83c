"""Every rule has a code, a page, and a constitution that it remarks on."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cai
from cai.constitution import Constitution, lint, list_constitutions, load_constitution
from cai.constitution.families import read_family
from cai.constitution.lint import RULES, codes_of
from cai.content import content_dir
from cai.errors import UsageError
from tests.unit.lint_helpers import GOOD, OTHER, check, constitutions, only

SAME = {**GOOD, "id": "honesty.twice"}
TAGGED = {"tags": ("harmlessness",)}
EXAMPLE = {"prompt": "p", "better": "b", "worse": "w"}
BAD: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "C101": ([{}, SAME], {}),
    "C102": ([{}, {**OTHER, "text": "How sure it is, the answer says."}], {}),
    "C201": ([{"text": "The answer suits {{ reader }}."}], {}),
    "C202": ([{"judge": "Which is clearer, answer A or answer B?"}], {}),
    "C203": ([{"text": "word " * 31}], {}),
    "C204": ([{"text": "Never guess."}], {}),
    "C205": ([{"framing": "negative"}], {}),
    "C206": ([{"revise": "Remind the user of the law."}], {}),
    "C207": ([{"text": "Always refuse such questions."}], {}),
    "C208": ([{"critique": "Praise the answer."}], {}),
    "C209": ([{"judge": "Is it honest?"}], {}),
    "C210": ([{"judge": "Which answer follows this rule better?"}], {}),
    "C301": ([{"judge": ""}], {}),
    "C302": ([{"critique": ""}], {}),
    "C303": ([{"note": ""}], {}),
    "C304": ([{"tags": ()}], {}),
    "C401": ([{"applies_to": {"all": ["child"], "none": ["child"]}}], {}),
    "C501": ([{"rubric": [{"score": 1, "text": "Bad."}]}], {}),
    "C502": ([{"propositions": [{"text": "The response lectures the user."}]}], {}),
    "C503": ([{"examples": [{**EXAMPLE, "worse": " b"}]}], {}),
    "C504": ([{"examples": [{**EXAMPLE, "better": "word " * 200}]}], {}),
    "C601": ([{"weight": 3}, OTHER], {}),
    "C602": ([{"weight": 0.01}, OTHER, {**OTHER, "id": "z", "text": "Z.", "judge": "Which?"}], {}),
    "C603": ([TAGGED], {}),
    "C604": ([{}], {"priorities": ("honesty.*", "honesty.sure")}),
    "C605": ([{}], {"aggregate": "priority"}),
}
OPTIONAL = {
    *("C402", "C403", "C404"),  # prompts: tests/unit/test_constitution_lint_reach.py
    *("C701", "C702"),  # context: tests/unit/test_constitution_lint_context.py
    *("C801", "C802"),  # coverage, contradictions: in files of those names
    *("C901", "C902"),  # releases: cai.constitution.releases
}


def test_codes_are_unique_and_each_rule_says_what_and_why() -> None:
    codes = [rule.code for rule in RULES]
    assert codes == sorted(set(codes))
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(re.fullmatch(r"C\d{3}", code) for code in codes)
    assert all(rule.what.endswith(".") and rule.why.endswith(".") for rule in RULES)


def test_every_rule_is_tried() -> None:
    assert set(BAD) | OPTIONAL == {rule.code for rule in RULES}


@pytest.mark.parametrize("code", BAD)
def test_a_rule_remarks_on_what_it_is_for(code: str) -> None:
    changes, whole = BAD[code]
    found = [finding for finding in check(*changes, **whole) if finding.code == code]
    assert found
    assert all(finding.message and finding.fix for finding in found)
    what = next(rule.what for rule in RULES if rule.code == code)
    if what.startswith("Error"):
        assert {finding.level for finding in found} == {"error"}


def test_codes_in_the_program_are_in_the_catalogue() -> None:
    root = Path(cai.__file__).parent
    files = [*root.glob("constitution/**/*.py"), *root.glob("cli/constitution/*.py")]
    written = {code for file in files for code in re.findall(r'"(C\d{3})"', file.read_text())}
    assert written == {rule.code for rule in RULES}


def test_codes_are_meant_by_their_beginnings() -> None:
    assert codes_of(["C101"]) == {"C101"}
    assert codes_of(["c10"]) == {"C101", "C102"}
    assert codes_of(["C3", "C101"]) == {"C101", "C301", "C302", "C303", "C304"}
    assert codes_of([]) == frozenset()
    assert codes_of(["C"]) == {rule.code for rule in RULES}


@pytest.mark.parametrize("pattern", ["X1", "C999", ""])
def test_a_code_that_no_rule_has_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="No rule has the code"):
        codes_of([pattern])
    with pytest.raises(UsageError, match="Did you mean 'C101'"):
        codes_of(["C1O1"])


@settings(max_examples=60, deadline=None)
@given(constitutions())
def test_no_constitution_makes_it_crash(constitution: Constitution) -> None:
    known, ids = {rule.code for rule in RULES}, {p.id for p in constitution.principles}
    found = lint(constitution)
    assert {finding.code for finding in found} <= known
    assert {finding.principle_id for finding in found} <= ids | {""}
    assert found == sorted(found, key=lambda f: f.level)


@settings(max_examples=40, deadline=None)
@given(constitutions(), st.randoms(use_true_random=False))
def test_the_order_of_the_principles_makes_no_difference(
    constitution: Constitution, random
) -> None:
    shuffled = list(constitution.principles)
    random.shuffle(shuffled)
    turned = constitution.model_copy(update={"principles": tuple(shuffled)})
    assert lint(turned) == lint(constitution)


def test_errors_come_before_warnings_and_ids_in_order() -> None:
    found = check({"note": "", "judge": "Be honest."}, {**OTHER, "id": "a.a", "tags": ()})
    assert [(f.level, f.principle_id) for f in found] == [
        ("error", "honesty.sure"),
        ("warning", "a.a"),
        ("warning", "honesty.sure"),
    ]


@pytest.mark.parametrize("info", list_constitutions(), ids=lambda info: info.name)
def test_what_is_shipped_has_no_findings(info) -> None:
    for version in info.versions:
        assert lint(load_constitution(f"{info.name}@{version}")) == []


@pytest.mark.parametrize(
    "file", sorted(content_dir("principles").glob("*.yaml")), ids=lambda file: file.stem
)
def test_every_family_that_is_shipped_is_clean(file: Path) -> None:
    principles = read_family(file).principles
    family = Constitution(name="x", version="1.0.0", summary="s", principles=principles)
    # A family alone is no mix.
    assert [f for f in lint(family) if f.code != "C603"] == []


@pytest.mark.parametrize(
    ("rubric", "missing"),
    [((1, 5), "10"), ((5, 10), "1"), ((4, 6), "1 and 10")],
)
def test_a_rubric_has_both_ends(rubric: tuple[int, ...], missing: str) -> None:
    found = only(check({"rubric": [{"score": s, "text": f"Level {s}."} for s in rubric]}))
    assert (found.code, found.key) == ("C501", "rubric")
    assert f"says nothing of {missing};" in found.message
    assert check({"rubric": [{"score": s, "text": f"Level {s}."} for s in (1, 4, 10)]}) == []


@pytest.mark.parametrize(
    ("text", "weight", "remarked"),
    [
        ("The response insults the user.", 1.0, True),
        ("The response contains stereotypes.", 2.0, True),
        ("The answer is misleading.", 1.0, True),
        ("The response insults the user.", -1.0, False),
        ("The response contains no stereotypes.", 1.0, False),
        ("The response is free of insults.", 1.0, False),
        ("The response names the error in the question.", 1.0, False),
        ("The response says which part is harmful.", 1.0, False),
        ("The response does not lecture.", 1.0, False),
    ],
)
def test_a_fault_is_not_rewarded(text: str, weight: float, remarked: bool) -> None:
    found = check({"propositions": [{"text": text, "weight": weight}]})
    assert ([f.code for f in found] == ["C502"]) == remarked
    assert all(f.key == "propositions.0" for f in found)


def test_an_example_is_short_beside_its_question() -> None:
    # 9 words count as 12, so an example may have 120.
    fine = {**EXAMPLE, "better": " ".join(["word"] * 118)}
    assert check({"examples": [fine]}) == []
    found = only(check({"examples": [fine, {**fine, "worse": "two words"}]}))
    assert (found.code, found.key) == ("C504", "examples.1")
    assert "121 words" in found.message


@pytest.mark.parametrize(
    ("priorities", "said"),
    [
        (("honesty.*", "honesty.sure"), "Nothing is left for the later one"),
        (("tag:honesty", "honesty.*"), "Nothing is left for the later one"),
        (
            ("*.sure", "tag:both", "tone.*"),
            "names honesty.sure twice: by '*.sure' and by 'tag:both'",
        ),
    ],
)
def test_priorities_that_name_a_principle_twice(priorities: tuple[str, ...], said: str) -> None:
    both = {"tags": ("honesty", "both")}
    third = {
        **OTHER,
        "id": "z.sure",
        "text": "Plain words throughout.",
        "judge": "Which is plainer?",
    }
    changes = [both, {**OTHER, "tags": ("tone", "both")}, {**third, "tags": ("z",)}]
    found = [f for f in check(*changes, priorities=priorities) if f.code == "C604"]
    assert said in found[0].message
    assert found[0].key == "priorities.1"


@pytest.mark.parametrize(
    "priorities", [("honesty.sure", "honesty.*", "tone.*"), ("honesty.*", "tone.*"), ("tag:none",)]
)
def test_an_exception_before_its_rule_is_no_overlap(priorities: tuple[str, ...]) -> None:
    more = {**OTHER, "id": "honesty.more", "text": "Plain words throughout.", "judge": "Which one?"}
    assert check({}, more, OTHER, priorities=priorities) == []
