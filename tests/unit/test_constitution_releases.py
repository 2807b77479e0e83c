import pytest
from ruamel.yaml import YAML

from cai.constitution import list_constitutions, load_constitution
from cai.constitution.release import release
from cai.constitution.release_records import read_releases, release_of, write_releases
from cai.constitution.releases import release_findings
from cai.content import content_dir
from cai.errors import ConfigError
from tests.unit.constitution_helpers import (
    constitution_yaml,
    draft_yaml,
    edit,
    family_yaml,
    write,
)

DAY = "2026-01-31"


def test_a_version_made_by_hand_is_recorded_as_it_is(tmp_path):
    file = draft_yaml(tmp_path, "1.0.0", name="1.0.0")
    before = file.read_bytes()
    done = release(file, date=DAY)
    assert (done.version, done.step, done.done) == ("1.0.0", "first", "recorded")
    assert file.read_bytes() == before
    with pytest.raises(ConfigError, match="recorded as released already, and is what it was"):
        release(file)
    later = draft_yaml(tmp_path, "1.1.0", ["own.one", "own.two"], name="1.1.0")
    assert release(later, dry_run=True).done == "nothing"
    assert release(later, date=DAY).step == "minor"
    assert [r.version for r in read_releases(file.parent)] == ["1.0.0", "1.1.0"]


def test_a_version_made_by_hand_obeys_the_same_rules(tmp_path):
    release(draft_yaml(tmp_path, "1.0.0", name="1.0.0"), date=DAY)
    second = draft_yaml(tmp_path, "1.0.1", ["own.one", "own.two"], name="1.0.1")
    third = draft_yaml(tmp_path, "2.0.0", ["own.two"], name="2.0.0")
    with pytest.raises(ConfigError, match=r"1\.0\.1 came before 2\.0\.0 and is not recorded"):
        release(third)
    with pytest.raises(
        ConfigError, match=r"patch version after 1\.0\.0 is too small.*higher version"
    ):
        release(second)
    with pytest.raises(ConfigError, match=r"--bump, --note and --into are for drafts"):
        release(second, bump="major")


def test_a_pre_release_is_recorded_and_not_built_upon(tmp_path):
    draft = draft_yaml(tmp_path)
    release(draft, date=DAY)
    early = draft_yaml(tmp_path, "2.0.0-rc.1", ["own.two"], name="2.0.0-rc.1")
    assert release(early, date=DAY).step == "major"
    draft_yaml(tmp_path, ids=["own.one", "own.three"])
    assert release(draft, date=DAY).before == "1.0.0"
    assert [r.version for r in read_releases(draft.parent)] == ["1.0.0", "1.1.0", "2.0.0-rc.1"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [("name: mine", "name: other", r"folder is named 'mine' but the file says 'name: other'"),
     ("bump: first", "bump: some", r"releases\.0\.bump"),
     ("date: '2026", "date: 'x2026", r"releases\.0\.date")],
)  # fmt: skip
def test_a_broken_record_is_refused(tmp_path, old, new, said):
    draft = draft_yaml(tmp_path)
    release(draft, date=DAY)
    edit(draft.parent / "releases.yaml", (old, new))
    with pytest.raises(ConfigError, match=said):
        release(draft)


def test_a_record_names_each_version_once(tmp_path):
    draft = draft_yaml(tmp_path)
    release(draft, date=DAY)
    write_releases(draft.parent, read_releases(draft.parent) * 2)
    with pytest.raises(ConfigError, match="each version may occur once"):
        read_releases(draft.parent)


def test_hashes_that_look_like_numbers_stay_text(tmp_path):
    draft = draft_yaml(tmp_path)
    release(draft, date=DAY)
    [recorded] = read_releases(draft.parent)
    odd = {"own.one": "123456789012", "own.two": "12e345678901", "own.three": "000000000000"}
    odd_one = recorded.model_copy(update={"principles": odd, "hash": "1" * 64})
    write_releases(draft.parent, [odd_one])
    assert read_releases(draft.parent) == (odd_one,)
    text = (draft.parent / "releases.yaml").read_text()
    assert isinstance(YAML(typ="safe", pure=True).load(text)["releases"][0]["date"], str)


def found(path, **options):
    return [(f.code, f.level, f.principle_id, f.message) for f in release_findings(path, **options)]


@pytest.fixture
def released(tmp_path):
    """`mine@1.0.0`, made by hand, with a family, a parent and a principle of its own."""
    write(tmp_path / "principles/colours.yaml", family_yaml("colours", ["colours.red"]))
    base = constitution_yaml("base", "1.0.0", ids=["base.one", "base.two"])
    write(tmp_path / "base/1.0.0.yaml", base)
    rest = "extends: [base@1.0.0]\ninclude:\n  - family: colours\n"
    file = draft_yaml(tmp_path, "1.0.0", rest=rest, name="1.0.0")
    release(file, date=DAY)
    return file


def test_what_was_released_and_is_so_still_has_no_finding(released):
    assert found(released) == found(released.parent) == found(released.parent / "draft.yaml") == []


def test_an_edited_file_that_means_the_same_is_found(released):
    edit(released, ("note: Own.", "note: Theirs."))
    [(code, level, one, message)] = found(released)
    assert (code, level, one) == ("C901", "error", "")
    assert "was edited after its release on 2026-01-31. It still means the same" in message


def test_an_edited_file_that_means_something_else_is_found_with_the_principle(released):
    edit(released, ("keeps to own one", "ignores own one"))
    [(code, level, one, message)] = found(released)
    assert (code, level, one) == ("C901", "error", "own.one")
    assert "The file itself was edited: other than before: 'own.one' (own)." in message
    assert "Bring the released file back" in release_findings(released)[0].fix


def test_a_changed_family_is_found_with_the_principle(released):
    family = released.parent.parent / "principles/colours.yaml"
    text = family_yaml("colours", ["colours.blue", "colours.red"])
    family.write_text(text.replace("keeps to colours red", "is never red"))
    [(_, _, one, message)] = found(released)
    assert one == "colours.red"
    assert (
        "The file is untouched, so a family or a parent has changed: other than before: "
        "'colours.red' (family colours); new: 'colours.blue' (family colours)." in message
    )
    assert "Undo the change in the family or parent" in release_findings(released)[0].fix


def test_a_changed_parent_is_found_with_the_principles(released):
    base = released.parent.parent / "base/1.0.0.yaml"
    base.write_text(constitution_yaml("base", "1.0.0", ids=["base.one"]))
    [(_, _, one, message)] = found(released)
    assert one == "base.two"
    assert "gone: 'base.two'." in message
    base.unlink()
    [(code, level, _, message)] = found(released)
    assert (code, level) == ("C901", "error")
    assert "cannot be loaded any more: No constitution is called 'base'" in message


def test_more_than_a_few_principles_are_counted(tmp_path):
    file = draft_yaml(tmp_path, "1.0.0", [f"own.a{i}" for i in range(8)], name="1.0.0")
    release(file, date=DAY)
    edit(file, ("keeps to own", "ignores own"))
    [(_, _, _, message)] = found(file)
    assert "'own.a4' (own) and 3 more." in message


def test_other_priorities_of_a_parent_are_found(released):
    base = released.parent.parent / "base/1.0.0.yaml"
    edit(base, ("principles:\n", "priorities: [base.two]\nprinciples:\n"))
    [(_, _, one, message)] = found(released)
    assert (one, "changed: its preamble, priorities or aggregate." in message) == ("", True)


def test_what_is_not_recorded_is_a_warning_until_something_is(tmp_path):
    file = draft_yaml(tmp_path, "1.0.0", name="1.0.0")
    [(code, level, _, message)] = found(file)
    assert (code, level) == ("C902", "warning")
    assert "there is no releases.yaml in its folder" in message
    assert found(file.parent) == found(draft_yaml(tmp_path)) == []
    release(file, date=DAY)
    second = draft_yaml(tmp_path, "1.1.0", ["own.one", "own.two"], name="1.1.0")
    [(code, level, _, message)] = found(second)
    assert (code, level) == ("C902", "error")
    assert "1.1.0.yaml is named by a version and not recorded" in message
    assert f"cai constitution release {second}" in release_findings(second)[0].fix
    assert found(file) == []
    assert found(file.parent) == found(file.parent / "draft.yaml") == found(second)


def test_a_missing_version_is_found_from_all_others(released):
    second = draft_yaml(released.parent.parent, "2.0.0", ["own.one"], name="2.0.0")
    release(second, date=DAY)
    released.unlink()
    for path in (second, released.parent, released.parent / "draft.yaml"):
        [(code, level, _, message)] = found(path)
        assert (code, level) == ("C901", "error")
        assert f"1.0.0 was released, and {released} is missing" in message


def test_other_files_have_nothing_to_do_with_releases(tmp_path):
    assert found(write(tmp_path / "rules.yaml", constitution_yaml())) == []


def test_names_of_parents_are_looked_up_in_the_given_folder(tmp_path):
    base = constitution_yaml("base", "1.0.0", ids=["base.one"])
    write(tmp_path / "root/base/1.0.0.yaml", base)
    file = draft_yaml(tmp_path, "1.0.0", rest="extends: [base@1.0.0]\n", name="1.0.0")
    loaded = load_constitution(file, root=tmp_path / "root")
    write_releases(file.parent, [release_of(file, loaded, DAY, "first")])
    assert found(file, root=tmp_path / "root") == []
    assert "No constitution is called 'base'" in found(file)[0][3]


@pytest.mark.parametrize("name", ["harmless-helpful", "helpful-honest", "customer-support"])
def test_the_shipped_releases_are_what_they_were(name):
    folder = content_dir("constitution") / name
    assert "1.0.0" in [recorded.version for recorded in read_releases(folder)]
    assert found(folder) == []


def test_a_record_is_no_version_of_a_constitution():
    assert "releases" not in {v for one in list_constitutions() for v in one.versions}
