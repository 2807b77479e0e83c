"""Selectors that can match nothing, in principle or among given prompts."""

from fnmatch import fnmatchcase
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cai.constitution.lint import impossible, prompt_findings
from cai.constitution.principle import Selector
from tests.unit.lint_helpers import OTHER, check, constitution, only

# All strings of up to four characters over letters that the patterns below tell apart. A pattern of
# at most three pieces matches one of them that two others do not, if there is any such string.
ALL = ["".join(tag) for n in range(1, 5) for tag in product("abc![]-*?", repeat=n)]
PIECES = st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]", "[a-b]", "[]]", "[", "-"])
PATTERNS = st.lists(PIECES, min_size=1, max_size=3).map("".join)
LISTS = st.lists(PATTERNS, max_size=2).map(tuple)
SELECTORS = st.builds(Selector, any=LISTS, all=LISTS, none=LISTS)
BARRING_ONE = st.builds(
    Selector, any=LISTS, all=LISTS, none=st.lists(PATTERNS, max_size=1).map(tuple)
)


@cache
def matched(pattern: str) -> frozenset[str]:
    return frozenset(tag for tag in ALL if fnmatchcase(tag, pattern))


def brute(*selectors: Selector) -> bool:
    """Whether some set of tags satisfies all selectors.

    The set of all tags that no `none` bars satisfies whatever any set can.
    """
    barred = frozenset[str]().union(*(matched(p) for s in selectors for p in s.none))
    free = frozenset(ALL) - barred

    def has(pattern: str) -> bool:
        return bool(matched(pattern) & free)

    return all((not s.any or any(map(has, s.any))) and all(map(has, s.all)) for s in selectors)


@settings(max_examples=200, deadline=None)
@given(SELECTORS)
def test_it_agrees_with_trying_all_tags(selector: Selector) -> None:
    assert (not impossible(selector)) == brute(selector)


@settings(max_examples=100, deadline=None)
@given(BARRING_ONE, BARRING_ONE)
def test_two_selectors_can_meet_when_one_set_of_tags_satisfies_both(
    first: Selector, second: Selector
) -> None:
    assert (not impossible(first, second)) == brute(first, second)


@settings(max_examples=200, deadline=None)
@given(SELECTORS, st.frozensets(st.sampled_from(ALL), max_size=4))
def test_what_matches_some_prompt_is_possible(selector: Selector, tags: frozenset[str]) -> None:
    if selector.matches(tags):
        assert impossible(selector) == ()


@pytest.mark.parametrize(
    ("selector", "blocked"),
    [
        ({"all": ["child"], "none": ["child"]}, ("child",)),
        ({"all": ["x", "med-*"], "none": ["m*"]}, ("med-*",)),
        ({"any": ["a", "b"], "none": ["a", "b"]}, ("a", "b")),
        ({"any": ["a?"], "none": ["a[!b]", "ab"]}, ("a?",)),
        ({"all": ["*"], "none": ["?*"]}, ("*",)),
        ({"any": ["a", "b"], "none": ["a"]}, ()),
        ({"all": ["a*"], "none": ["ab*"]}, ()),
        ({"all": ["*"], "none": ["*a"]}, ()),
        ({"none": ["*"]}, ()),
        ({}, ()),
        (["red-team"], ()),
    ],
)
def test_what_is_barred_is_named(selector: object, blocked: tuple[str, ...]) -> None:
    assert impossible(Selector.model_validate(selector)) == blocked


def test_a_pattern_with_too_many_places_is_not_decided() -> None:
    wide = Selector(all=("*a" + "?" * 70,), none=("*a" + "?" * 71, "*b" + "?" * 70))
    assert impossible(wide) == ()


def test_an_unreachable_principle_is_an_error() -> None:
    found = only(check({"applies_to": {"all": ["child"], "none": ["ch*"]}}))
    assert (found.code, found.level, found.key) == ("C401", "error", "applies_to")
    assert "wants a tag 'child'" in found.message
    assert "'ch*'" in found.message


def test_prompts_show_which_selectors_match_nothing() -> None:
    rules = constitution({"applies_to": ["childs"]}, OTHER)
    found = only(prompt_findings(rules, [("child", "health"), ()], "mine.jsonl"))
    assert (found.code, found.level) == ("C402", "warning")
    assert (found.principle_id, found.key) == ("honesty.sure", "applies_to")
    assert "none of the 2 prompts of mine.jsonl. Their tags: child, health." in found.message


def test_prompts_without_a_principle_are_an_error() -> None:
    rules = constitution({"applies_to": ["child"]})
    tags = [("child",), ("adult", "x"), ("adult", "x"), ()]
    found = only(prompt_findings(rules, tags, "mine.jsonl"))
    assert (found.code, found.level, found.principle_id) == ("C403", "error", "")
    assert "No principle applies to 3 of the 4 prompts" in found.message
    assert "2 with [adult, x]; 1 with []" in found.message


@pytest.mark.parametrize(
    ("lacks", "said"), [("judge", "'judge' question"), ("revise", "'revise' request")]
)
def test_prompts_whose_principles_lack_a_wording(lacks: str, said: str) -> None:
    rules = constitution({lacks: ""}, {**OTHER, "applies_to": ["child"]})
    found = only(prompt_findings(rules, [("child",), ("adult",)], "mine.jsonl"))
    assert (found.code, found.level) == ("C404", "warning")
    assert said in found.message
    assert "1 of the 2 prompts" in found.message


def test_an_unreachable_selector_is_not_reported_twice() -> None:
    rules = constitution({"applies_to": {"all": ["a"], "none": ["a"]}}, OTHER)
    assert prompt_findings(rules, [("a",)], "mine.jsonl") == []


def test_principles_for_every_prompt_leave_nothing_out() -> None:
    assert prompt_findings(constitution({}, OTHER), [(), ("a",)], "mine.jsonl") == []
