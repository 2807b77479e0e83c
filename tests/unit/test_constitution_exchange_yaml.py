"""Constitutions as YAML: whatever the texts hold, reading gives them back; files are safe."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cai.constitution import Constitution, Principle, load_constitution
from cai.constitution.write import (
    as_yaml,
    check_place,
    resolved_yaml,
    schema_beside,
    without_origin,
    write_files,
)
from cai.content import content_dir
from cai.errors import ConfigError, UsageError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
BLANKS = st.lists(st.sampled_from(["word", "  ", " ", "\t", "\n", ": ", "#", "- "]), max_size=90)


def read(text):
    return YAML(typ="safe", pure=True).load(text)


@given(st.one_of(TEXT, BLANKS.map("".join)))
@example("a  " * 80 + "b")
@example("tab\there " * 20)
@example("\x85")
@example("word " * 40 + "\x07 end")
@example("- id: x\n  - id: y")
@example("first\n\nthird ")
def test_texts_come_back_unchanged(text):
    data = {"format": 1, "principles": [{"id": "a", "text": text, "tags": ["x", text]}]}
    assert read(as_yaml(data, "# head")) == data


def test_long_texts_are_folded_and_principles_set_apart():
    long = "One rule that is said in very many words. " * 8
    principles = [{"id": "a", "text": long.strip()}, {"id": "b", "text": "Short.", "tags": ["x"]}]
    text = as_yaml({"format": 1, "principles": principles}, "# head")
    assert text.startswith(
        "# head\nformat: 1\n\nprinciples:\n  - id: a\n    text: >-\n      One rule"
    )
    assert "\n\n  - id: b\n    text: Short.\n    tags: [x]\n" in text
    assert max(map(len, text.splitlines())) <= 100


def test_a_resolved_constitution_can_be_loaded_again(tmp_path):
    odd = Principle(id="a.b", text="Two  blanks\tand a tab, " * 9, note="first\nsecond")
    whole = Constitution(name="x", version="1.0.0", summary="s", principles=(odd,))
    file = tmp_path / "x.yaml"
    file.write_text(resolved_yaml(whole), encoding="utf-8")
    assert load_constitution(file).principles == whole.principles


@given(BLANKS.map("".join))
@example("Rules:\n- id: x\n  - id: y\nprinciples:\nchangelog: z")
@example("First\n- id: one of\n- id: the list")
def test_texts_at_the_top_come_back_unchanged(text):
    entry = {"id": "a.b", "text": text}
    data = {
        "format": 1,
        "preamble": text,
        "principles": [entry],
        "changelog": [{"changes": [text]}],
    }
    assert read(as_yaml(data, "# head")) == data


def test_the_head_of_a_resolved_constitution_names_schema_and_origin():
    one = Principle(id="a.b", text="Text.")
    whole = Constitution(name="x", version="1.0.0", summary="s", principles=(one,))
    origin = f"# x@1.0.0, hash {whole.hash}\n"
    text = resolved_yaml(whole, "../s.json")
    assert text.startswith(f"# yaml-language-server: $schema=../s.json\n{origin}format: 1\n")
    assert resolved_yaml(whole).startswith(f"{origin}format: 1\n")
    assert without_origin(text) == text.replace(origin, "")
    later = text.replace(origin, "").replace("format: 1\n", f"format: 1\n{origin}")
    assert without_origin(later) == later


def test_the_schema_is_found_beside_or_in_the_package(tmp_path):
    assert schema_beside(None) == "../constitution.schema.json"
    file = tmp_path / "mine" / "1.0.0.yaml"
    packaged = (file.parent / schema_beside(file)).resolve()
    assert packaged == (content_dir("constitution") / "constitution.schema.json").resolve()
    (tmp_path.parent / "constitution.schema.json").touch()
    assert schema_beside(file) == "../../constitution.schema.json"
    (tmp_path / "constitution.schema.json").touch()
    assert schema_beside(file) == "../constitution.schema.json"


def test_a_place_has_to_fit(tmp_path):
    check_place(tmp_path / "x" / "1.0.0.yaml", "x", "1.0.0")
    check_place(tmp_path / "any.yml", "x", "1.0.0")
    with pytest.raises(ConfigError, match=r"Rename it to 1\.0\.0\.yaml"):
        check_place(tmp_path / "x" / "1.0.0.yml", "x", "1.0.0")
    with pytest.raises(UsageError, match=r"Name it rules\.yaml"):
        check_place(tmp_path / "rules.txt", "x", "1.0.0")
    with pytest.raises(UsageError, match=r"place of y@1\.0\.0, and this is x@1\.0\.0"):
        check_place(tmp_path / "y" / "1.0.0.yaml", "x", "1.0.0")
    with pytest.raises(UsageError, match=r"place of x@2\.0\.0"):
        check_place(tmp_path / "x" / "2.0.0.yaml", "x", "1.0.0")


def test_files_are_not_overwritten_unawares(tmp_path):
    there, source = tmp_path / "there", tmp_path / "source"
    there.write_text("old")
    source.write_text("source")
    fresh = tmp_path / "deep" / "fresh"
    with pytest.raises(UsageError, match="--force"):
        write_files({fresh: "new", there: "new"})
    assert not fresh.exists()
    write_files({fresh: "new", there: "new"}, force=True)
    assert (fresh.read_text(), there.read_text()) == ("new", "new")
    with pytest.raises(UsageError, match="is the file that is read"):
        write_files({source: "new"}, force=True, inputs=(source,))
    assert source.read_text() == "source"


def test_links_and_folders_are_refused_even_with_force(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    with pytest.raises(UsageError, match="a link"):
        write_files({link: "new"}, force=True)
    assert not target.exists()
    with pytest.raises(UsageError, match="a folder"):
        write_files({tmp_path: "new"}, force=True)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="Cannot make the folder"):
        write_files({tmp_path / "file" / "x.yaml": "new"})
