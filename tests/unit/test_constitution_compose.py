"""Parents, families, removals, changes and priorities become one constitution."""

from pathlib import Path

import pytest

from cai.constitution import Constitution, load_constitution
from cai.errors import ConfigError


def principle(name: str, **keys: object) -> str:
    told = "".join(f"    {key}: {value}\n" for key, value in keys.items())
    return f"  - id: {name}\n    text: t {name}\n    judge: Which answer is {name}?\n{told}"


def write(path: Path, name: str, rest: str, version: str = "1.0.0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"format: 1\nname: {name}\nversion: {version}\nsummary: s\n{rest}", encoding="utf-8"
    )
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    family = tmp_path / "principles/care.yaml"
    family.parent.mkdir()
    family.write_text(
        "format: 1\nfamily: care\nsummary: s\nprinciples:\n"
        + principle("care.warm", tags="[tone]")
        + principle("care.safe", tags="[safety]")
        + principle("care.safest", tags="[safety-high]"),
        encoding="utf-8",
    )
    folder = tmp_path / "constitution"
    write(
        folder / "base/1.0.0.yaml",
        "base",
        "aggregate: worst\npriorities: ['care.*']\npreamble: Be safe.\n"
        "include:\n  - {family: care, ids: ['care.safe*']}\n"
        "principles:\n" + principle("base.own"),
    )
    write(
        folder / "other/1.0.0.yaml", "other", "extends: [base]\nprinciples:\n" + principle("o.one")
    )
    return folder


TWICE = """\
extends: [base]
override:
  - {id: care.safe, rubric: [{score: 1, text: a}, {score: 1, text: b}]}
"""


def heir(root: Path, rest: str) -> Constitution:
    return load_constitution(write(root / "heir/draft.yaml", "heir", rest))


def test_parents_and_families_come_together_and_a_common_grandparent_counts_once(
    root: Path,
) -> None:
    found = heir(root, "extends: [base, other]\ninclude:\n  - {family: care, tags: ['ton*']}\n")
    assert found.origins == {
        "base.own": "base@1.0.0",
        "care.safe": "base@1.0.0",
        "care.safest": "base@1.0.0",
        "care.warm": "family care",
        "o.one": "other@1.0.0",
    }
    assert (found.aggregate, found.priorities) == ("worst", ("care.*",))
    assert found.preamble == "Be safe."


def test_a_parent_may_be_a_path(root: Path) -> None:
    by_path = heir(root, "extends: [../base/1.0.0.yaml]\n")
    assert by_path.hash == load_constitution("base", root=root).hash


def test_removing_takes_away_what_was_inherited(root: Path) -> None:
    found = heir(root, "extends: [other]\nremove: ['care.*', o.one]\npriorities: [base.own]\n")
    assert [p.id for p in found.principles] == ["base.own"]


def test_what_is_removed_may_be_written_anew(root: Path) -> None:
    found = heir(root, "extends: [other]\nremove: [o.one]\nprinciples:\n" + principle("o.one"))
    assert found.origins["o.one"] == "own"


def test_an_override_changes_the_given_keys_alone(root: Path) -> None:
    rest = (
        "extends: [base]\noverride:\n  - {id: care.safe, judge: Which is safer?, weight: 3}\n"
        "  - {id: 'care.*', applies_to: [medical]}\n"
    )
    found = heir(root, rest)
    safe = found["care.safe"]
    assert (safe.judge, safe.weight, safe.text) == ("Which is safer?", 3.0, "t care.safe")
    assert found["care.safest"].applies_to.matches(["medical"])
    assert not found["care.safest"].applies_to.matches(["cooking"])
    assert found["base.own"].applies_to.everything


def test_conflicting_parents_are_settled_by_removing_or_not_at_all(root: Path) -> None:
    write(root / "third/1.0.0.yaml", "third", "principles:\n" + principle("o.one", weight=9))
    with pytest.raises(
        ConfigError, match=r"'o\.one' comes with two meanings: from 'other@1\.0\.0' and"
    ):
        heir(root, "extends: [other, third]\n")
    rest = "extends: [other, third]\nremove: [o.one]\nprinciples:\n" + principle("o.one", weight=2)
    assert heir(root, rest)["o.one"].weight == 2.0


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("extends: [bose]\n", "No constitution is called 'bose'"),
        ("extends: [base]\nremove: [care.cold]\n", r"remove: no principle has the id 'care.cold'"),
        (
            "extends: [base]\npriorities: ['tag:tonne']\n",
            "priorities: no principle has the tag 'tonne'",
        ),
        (
            "extends: [base]\noverride: [{id: care.soft, weight: 2}]\n",
            "override of 'care.soft': no parent",
        ),
        (
            "extends: [base]\nremove: [care.safe]\noverride: [{id: care.safe, weight: 2}]\n",
            "It is under 'remove'",
        ),
        ("extends: [base]\noverride: [{id: care.safe}]\n", "overridden with nothing"),
        (
            "extends: [base]\noverride: [{id: 'care.*', judge: Which is best?}]\n",
            "may stand for several principles",
        ),
        (
            "extends: [base]\noverride: [{id: 'care.saf?', judge: Which is best?}]\n",
            "may stand for several principles",
        ),
        (
            "extends: [base]\noverride: [{id: 'tag:safety', text: Be safe.}]\n",
            "may stand for several principles",
        ),
        (
            TWICE,
            r"each score may have one text, and the scores are \[1, 1\]",
        ),
        ("principles:\n" + principle("a.b", critique="'  '"), "the text is blank"),
        ("extends: [draft.yaml]\n", "a constitution extends itself"),
    ],
)
def test_entries_that_cannot_be_meant_are_refused(root: Path, rest: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        heir(root, rest)


def test_a_small_file_that_means_a_huge_one_is_refused_at_once(root: Path) -> None:
    """Written out, the value would have ten thousand million parts."""
    bomb = ["a0: &a0 [x]"]
    bomb += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 11)]
    with pytest.raises(ConfigError, match="'preamble': input should be a valid string") as error:
        heir(root, "\n".join([*bomb, "preamble: *a10", ""]))
    assert len(str(error.value)) < 10_000


def test_ranks_follow_priorities_then_weights(root: Path) -> None:
    rest = (
        "extends: [other]\npriorities: [o.one, 'tag:safety*']\n"
        "override: [{id: care.safest, weight: 5}]\n"
    )
    found = heir(root, rest)
    assert [p.id for p in found.ranked] == ["o.one", "care.safest", "care.safe", "base.own"]
    assert [found.level(p.id) for p in found.ranked] == [0, 1, 1, 2]


def test_how_it_came_together_does_not_count_but_what_a_model_notices_does(root: Path) -> None:
    base = load_constitution("base", root=root)
    same = heir(root, "extends: [base]\nchangelog: [{version: 1.0.0, changes: [Begun.]}]\n")
    assert same.hash == base.hash
    for rest in (
        "aggregate: mean\n",
        "preamble: Be good.\n",
        "priorities: [base.own]\n",
        "override: [{id: base.own, rubric: [{score: 1, text: bad}]}]\n",
        "override: [{id: base.own, examples: [{prompt: p, better: b, worse: w}]}]\n",
        "override: [{id: base.own, applies_to: {none: [code]}}]\n",
    ):
        assert heir(root, "extends: [base]\n" + rest).hash != base.hash
