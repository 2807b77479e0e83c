"""Taxonomies, and which of their categories a constitution covers."""

from pathlib import Path

import pytest

from cai.constitution import load_constitution
from cai.constitution.lint import Taxonomy, coverage, coverage_findings, load_taxonomy
from cai.content import content_dir
from cai.errors import ConfigError
from tests.unit.lint_helpers import GOOD, OTHER, constitution, only

LIST = """\
format: 1
taxonomy: mine
summary: Mine.
categories:
  - {id: doubt, kind: virtue, description: Doubt., tags: ["hon*"]}
  - {id: warmth, kind: virtue, description: Warmth., keywords: [capab*, warm]}
  - {id: fraud, kind: harm, description: Fraud., tags: [fraud], keywords: [fraud*, how sure the]}
"""
NAMES = sorted(file.stem for file in (content_dir("constitution") / "taxonomies").glob("*.yaml"))


@pytest.fixture
def mine(tmp_path: Path) -> Taxonomy:
    (tmp_path / "mine.yaml").write_text(LIST)
    return load_taxonomy(tmp_path / "mine.yaml")


def test_a_category_is_covered_by_tag_or_by_words(mine: Taxonomy) -> None:
    tagged, worded = {"tags": ("honesty",)}, {**OTHER, "tags": ("tone",)}
    doubt, warmth, fraud = coverage(constitution(tagged, worded), mine)
    assert (doubt.by_tag, doubt.by_words) == (("honesty.sure",), ())
    assert (warmth.by_tag, warmth.by_words) == ((), (("tone.warm", "capable"),))
    assert not fraud.anywhere


def test_a_principle_with_the_tag_is_not_counted_by_words_again(mine: Taxonomy) -> None:
    found = coverage(constitution({"tags": ("fraud",), "text": "The answer exposes fraud."}), mine)
    assert (found[2].by_tag, found[2].by_words) == (("honesty.sure",), ())


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("The answer warns of FRAUDSTERS.", "FRAUDSTERS"),
        ("The answer says how  sure\nthe reader may be.", "how sure the"),
        ("The answer is afraud of nothing.", None),
        ("The answer is warmer.", None),
    ],
)
def test_keywords_are_whole_words_and_phrases(mine: Taxonomy, text: str, word: str | None) -> None:
    found = coverage(constitution({"text": text, "tags": ("x",)}), mine)[2]
    assert found.by_words == ((("honesty.sure", word),) if word else ())


@pytest.mark.parametrize("key", ["critique", "revise", "judge"])
def test_all_wordings_are_read(mine: Taxonomy, key: str) -> None:
    assert coverage(constitution({key: f"{GOOD[key]} Fraud."}), mine)[2].anywhere


def test_propositions_and_rubrics_are_read_and_examples_are_not(mine: Taxonomy) -> None:
    told = {"propositions": [{"text": "It warns of fraud."}]}
    assert coverage(constitution(told), mine)[2].anywhere
    shown = {"examples": [{"prompt": "fraud?", "better": "fraud", "worse": "none"}]}
    assert not coverage(constitution(shown), mine)[2].anywhere


def test_what_is_missing_is_one_warning(mine: Taxonomy) -> None:
    covered = coverage(constitution({"tags": ("x",)}), mine)
    found = only(coverage_findings(covered, mine))
    assert (found.code, found.level, found.principle_id) == ("C801", "warning", "")
    assert "Of the 3 categories of 'mine', 3 are in no principle" in found.message
    assert "harms: fraud; virtues: doubt, warmth" in found.message
    assert (
        coverage_findings(
            coverage(constitution({}, OTHER, {**OTHER, "id": "f", "text": "Fraud."}), mine), mine
        )
        == []
    )


@pytest.mark.parametrize("name", NAMES)
def test_packaged_lists_name_their_sources_and_can_be_matched(name: str) -> None:
    taxonomy = load_taxonomy(name)
    assert taxonomy.taxonomy == name
    assert any("arXiv" in source for source in taxonomy.sources)
    ids = [category.id for category in taxonomy.categories]
    assert len(ids) >= 12
    for category in taxonomy.categories:
        said = " ".join(word.replace("*", "") for word in category.keywords)
        found = coverage(constitution({"text": f"The answer is about {said}."}), taxonomy)
        assert found[ids.index(category.id)].anywhere


def test_the_names_of_ailuminate_are_all_there() -> None:
    assert len(load_taxonomy("ailuminate").categories) == 12
    assert {category.kind for category in load_taxonomy("ailuminate").categories} == {"harm"}
    assert {category.kind for category in load_taxonomy("assistant").categories} == {
        "harm",
        "virtue",
    }


def test_what_a_shipped_constitution_is_about_is_found() -> None:
    covered = {
        one.category.id: one.anywhere
        for one in coverage(
            load_constitution("harmless-helpful@1.0.0"), load_taxonomy("ailuminate")
        )
    }
    assert covered["hate"] and covered["privacy"] and covered["suicide-and-self-harm"]
    assert not covered["intellectual-property"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("capab*, warm", "more than 3 stars"),
        ("- {id: doubt,", "comes twice"),
        ('tags: ["hon*"]', "neither tags nor keywords"),
        ("keywords: [capab*, warm]", "keywords"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(tmp_path: Path, change: str, said: str) -> None:
    broken = {
        "comes twice": "- {id: warmth,",
        "neither tags nor keywords": "tags: []",
        "more than 3 stars": "a*b*c*d*",
    }
    (tmp_path / "mine.yaml").write_text(LIST.replace(change, broken.get(said, "keywords: ['* ']")))
    with pytest.raises(ConfigError, match=said):
        load_taxonomy(tmp_path / "mine.yaml")


def test_an_unknown_name_lists_those_that_there_are() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'assistant'"):
        load_taxonomy("asistant")
