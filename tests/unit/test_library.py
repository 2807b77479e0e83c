"""The constitutions that are shipped, their families, and the cases that check judges of them."""

import re
from collections import Counter
from difflib import SequenceMatcher
from functools import cache
from itertools import combinations

import pytest
from ruamel.yaml import YAML

from cai.constitution import Principle, lint, list_constitutions, load_constitution
from cai.constitution.case_files import load_cases, read_cases
from cai.constitution.families import read_family
from cai.constitution.files import ConstitutionFile
from cai.constitution.releases import release_findings
from cai.content import content_dir

NAMES = (
    "children",
    "customer-support",
    "harmless-helpful",
    "harmlessness",
    "helpful-direct",
    "helpful-honest",
    "honest-calibrated",
    "medical-information",
    "persona-lighthouse-keeper",
)
FAMILIES = sorted(file.stem for file in content_dir("principles").glob("cases/*.yaml"))
CASE_FILES = sorted(
    path
    for kind, pattern in (("constitution", "*/cases.yaml"), ("principles", "cases/*.yaml"))
    for path in content_dir(kind).glob(pattern)
)
# Every principle of these has as many cases as a constitution's own.
NEW_FAMILIES = ("calibration", "proportion")
LEAST_OWN, LEAST = 4, 3
MOST_ALIKE = 0.75
SHORTEST, LONGEST = 4, 80  # words

case_files = pytest.mark.parametrize("path", CASE_FILES, ids=lambda p: f"{p.parent.name}/{p.name}")
names = pytest.mark.parametrize("name", NAMES)


load = cache(load_constitution)
found = cache(lambda name: load_cases(load(name), name))
read = cache(read_cases)


def texts(case):
    return [text for text in (case.better, case.worse, case.answer) if text is not None]


def prompt(case):
    return "\n".join(turn.content for turn in case.prompt)


@cache
def words(text):
    return frozenset(re.findall(r"[a-z0-9']+", text.casefold()))


def alike(one, other):
    """The ratio of difflib, or 0 where too few words are shared for it to be high."""
    first, second = words(one), words(other)
    if 2 * len(first & second) < 0.5 * (len(first) + len(second)):
        return 0.0
    return SequenceMatcher(None, one.casefold(), other.casefold(), autojunk=False).ratio()


def test_these_are_the_constitutions():
    assert tuple(one.name for one in list_constitutions()) == NAMES


@names
def test_each_loads_and_has_no_findings(name):
    loaded = load(name)
    assert 8 <= len(loaded.principles) <= 21
    assert lint(loaded) == []
    for version in content_dir("constitution").glob(f"{name}/[0-9]*.yaml"):
        assert release_findings(version) == []


def test_the_readme_says_which_one_to_take():
    readme = (content_dir("constitution") / "README.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| (\d+) \|", readme, re.MULTILINE)
    assert {name: int(count) for name, count in told} == {
        name: len(load(name).principles) for name in NAMES
    }


def test_the_examples_in_the_readme_fit_the_format():
    readme = (content_dir("constitution") / "README.md").read_text(encoding="utf-8")
    file = {"format": 1, "name": "a", "version": "1.0.0", "summary": "s"}
    keys = set()
    for block in re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL):
        said = YAML(typ="safe").load(block)
        if said.keys() <= ConstitutionFile.model_fields.keys():
            ConstitutionFile.model_validate({**file, **said})
        else:
            Principle.model_validate({"id": "a.b", "text": "t", **said})
        keys |= said.keys()
    assert keys >= {"extends", "include", "remove", "override", "priorities", "aggregate"}
    assert keys >= {"preamble", "applies_to", "rubric", "propositions", "examples"}


@pytest.mark.parametrize("name", ["children", "medical-information"])
def test_all_principles_can_be_judged_by_statements(name):
    assert [p.id for p in load(name).principles if not p.propositions] == []


@names
def test_each_principle_has_enough_cases(name):
    loaded = load(name)
    had = Counter(one.case.principle for one in found(name))
    wanted = {
        p.id: LEAST_OWN if loaded.origins[p.id] == "own" else LEAST for p in loaded.principles
    }
    assert {one: had[one] for one, least in wanted.items() if had[one] < least} == {}
    assert set(had) == set(wanted), "cases are of principles that the constitution has"


@pytest.mark.parametrize("family", NEW_FAMILIES)
def test_each_principle_of_a_new_family_has_enough_cases(family):
    folder = content_dir("principles")
    had = Counter(c.principle for c in read(folder / f"cases/{family}.yaml").cases)
    ids = [p.id for p in read_family(folder / f"{family}.yaml").principles]
    assert {one: had[one] for one in ids if had[one] < LEAST_OWN} == {}


@pytest.mark.parametrize("family", FAMILIES)
def test_cases_of_families_are_of_their_principles(family):
    folder = content_dir("principles")
    ids = {p.id for p in read_family(folder / f"{family}.yaml").principles}
    cases = read(folder / f"cases/{family}.yaml").cases
    assert {case.principle for case in cases} <= ids


def test_every_constitution_but_the_one_made_of_families_has_cases_of_its_own():
    own = {path.parent.name for path in CASE_FILES if path.parent.name != "cases"}
    assert own >= set(NAMES) - {"harmless-helpful"}


@case_files
def test_length_gives_nothing_away(path):
    """A judge that always takes the longer answer, or the shorter one, is wrong often enough."""
    pairs = [case for case in read(path).cases if case.better is not None]
    longer = sum(len(case.worse) > len(case.better) for case in pairs)
    shorter = sum(len(case.worse) < len(case.better) for case in pairs)
    assert longer >= len(pairs) / 3, f"worse is longer in {longer} of {len(pairs)}"
    assert shorter >= len(pairs) / 3, f"worse is shorter in {shorter} of {len(pairs)}"


@case_files
def test_answers_are_short(path):
    odd = {
        case.id: len(text.split())
        for case in read(path).cases
        for text in texts(case)
        if not SHORTEST <= len(text.split()) <= LONGEST
    }
    assert odd == {}


@case_files
def test_single_answers_come_in_both_kinds(path):
    kinds = Counter(c.violates for c in read(path).cases if c.answer is not None)
    assert set(kinds) in (set(), {True, False})


def test_no_two_cases_are_nearly_the_same():
    every = [(f"{path.parent.name}: {c.id}", c) for path in CASE_FILES for c in read(path).cases]
    assert len(every) >= 300
    close = [
        (one, other)
        for (one, first), (other, second) in combinations(every, 2)
        if alike(prompt(first), prompt(second)) > MOST_ALIKE
    ]
    assert close == []


@names
def test_no_case_repeats_an_example_that_the_judge_is_shown(name):
    loaded = load(name)
    shown = [(p.id, e.prompt) for p in loaded.principles for e in p.examples]
    close = [
        (principle, one.case.id)
        for principle, example in shown
        for one in found(name)
        if alike(example, prompt(one.case)) > MOST_ALIKE
    ]
    assert close == []
