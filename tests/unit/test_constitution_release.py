import os

import pytest

from cai.constitution import load_constitution
from cai.constitution.atomic import alone_in
from cai.constitution.load import read_file
from cai.constitution.release import release
from cai.constitution.release_records import read_releases
from cai.errors import ConfigError, UsageError
from tests.unit.constitution_helpers import (
    constitution_yaml,
    draft_yaml,
    edit,
    family_yaml,
    principle_yaml,
    sha,
    write,
)

DAY = "2026-01-31"
BRACES = "principles: [{id: a.b, text: t, judge: 'Which answer?'}]"

DRAFT = """\
# yaml-language-server: $schema=../constitution.schema.json
format: 1
name: mine   # ours
version: "0.0.0"  # set by a release
summary: >-
  For tests, with a
  folded summary.

extends: ["base@^1"] # parents

include:
  - family: colours   # all of it

  # the shapes
  - family: shapes
    tags: [round] # only these
    weight: 1.5
  - {family: sounds}
  - family: smells
    ids:
      - "smells.*"   # every one

# Own ones.
principles:
  - id: own.one
    text: The answer says 'yes' or "no" first, and gives a reason that fits on one line.
    critique: Point out where the answer fails to say yes or no first.
    revise: Rewrite the answer so that it says yes or no first.
    judge: Which answer says yes or no first?
    tags: [own]
    note: Own.
# the end
"""


@pytest.fixture
def folder(tmp_path):
    """The folder of `mine`, with a parent and families beside it, and a draft in it."""
    for name in ("colours", "sounds", "smells"):
        text = family_yaml(name, [f"{name}.one", f"{name}.two"])
        write(tmp_path / f"principles/{name}.yaml", text)
    shapes = family_yaml("shapes", ["shapes.ball"]).replace("[own]", "[round]")
    shapes += principle_yaml("shapes.box")
    write(tmp_path / "principles/shapes.yaml", shapes)
    base = constitution_yaml("base", "1.0.0", ids=["base.one"])
    write(tmp_path / "constitution/base/1.0.0.yaml", base)
    write(tmp_path / "constitution/mine/draft.yaml", DRAFT)
    return tmp_path / "constitution/mine"


def test_a_release_keeps_every_byte_of_the_author_but_what_it_pins(folder):
    draft = folder / "draft.yaml"
    done = release(draft, date=DAY)
    assert (done.version, done.before, done.step, done.done) == ("1.0.0", "", "first", "written")
    expected = DRAFT
    for old, new in (
        ('"0.0.0"', "1.0.0"),
        ('"base@^1"', "base@1.0.0"),
        (
            "family: colours   # all of it\n",
            "family: colours   # all of it\n    ids:\n      - colours.one\n      - colours.two\n",
        ),
        ("tags: [round] #", "ids:\n      - shapes.ball #"),
        ("{family: sounds}", "{family: sounds, ids: [sounds.one, sounds.two]}"),
        ('ids:\n      - "smells.*" ', "ids:\n      - smells.one\n      - smells.two "),
    ):
        assert old in expected
        expected = expected.replace(old, new)
    expected += (
        f"\nchangelog:\n  - version: 1.0.0\n    date: '{DAY}'\n    changes:\n"
        "      - First release, with 9 principles.\n"
    )
    assert done.path.read_text() == expected
    assert draft.read_text() == DRAFT
    before = load_constitution(draft)
    assert load_constitution(done.path) == before.model_copy(update={"version": "1.0.0"})


def test_a_release_is_recorded_with_what_it_was(folder):
    done = release(folder / "draft.yaml", date=DAY)
    [recorded] = read_releases(folder)
    loaded = load_constitution(done.path)
    assert (recorded.version, recorded.date, recorded.bump) == ("1.0.0", DAY, "first")
    assert (recorded.hash, recorded.file_sha256) == (loaded.hash, sha(done.path))
    assert list(recorded.principles) == [p.id for p in loaded.principles]
    assert sorted(p.name for p in folder.iterdir()) == ["1.0.0.yaml", "draft.yaml", "releases.yaml"]


def test_a_pinned_release_stays_when_families_grow_and_parents_go_on(folder):
    done = release(folder / "draft.yaml", date=DAY)
    before = load_constitution(done.path)
    root = folder.parent
    for name in ("colours", "shapes", "sounds", "smells"):
        new = principle_yaml(f"{name}.new").replace("[own]", "[round]")
        edit(root.parent / f"principles/{name}.yaml", ("principles:\n", f"principles:\n{new}"))
    newer = constitution_yaml("base", "1.1.0", ids=["base.one", "base.two"])
    write(root / "base/1.1.0.yaml", newer)
    assert load_constitution(done.path) == before
    assert len(load_constitution(folder / "draft.yaml").principles) == len(before.principles) + 5
    assert release(folder / "draft.yaml", date=DAY).version == "1.1.0"


@pytest.mark.parametrize(
    ("edits", "step", "version"),
    [
        ([("no first?", "no first, clearly?")], "patch", "1.0.1"),
        ([("note: Own.", "note: Ours.")], "patch", "1.0.1"),
        ([("folded summary", "new summary")], "patch", "1.0.1"),
        ([("weight: 1.5", "weight: 2")], "minor", "1.1.0"),
        ([("    tags: [round]", "    ids: ['*']")], "minor", "1.1.0"),
        ([("  - {family: sounds}\n", "")], "major", "2.0.0"),
        ([("principles:\n", "aggregate: worst\nprinciples:\n")], "major", "2.0.0"),
        ([("[own]", "[other]")], "major", "2.0.0"),
        ([("id: own.one", "id: own.other")], "major", "2.0.0"),
    ],
)  # fmt: skip
def test_the_changes_choose_the_bump(folder, edits, step, version):
    draft = folder / "draft.yaml"
    release(draft, date=DAY)
    edit(draft, *edits)
    done = release(draft, date=DAY)
    assert (done.before, done.step, done.version) == ("1.0.0", step, version)
    assert [r.bump for r in read_releases(folder)] == ["first", step]


def test_below_one_minor_is_enough_for_everything(tmp_path):
    draft = draft_yaml(tmp_path, "0.2.0", ["own.one", "own.two"])
    assert release(draft, date=DAY).version == "0.2.0"
    draft_yaml(tmp_path, "0.2.0", ["own.one"])
    assert release(draft, date=DAY).version == "0.3.0"
    draft_yaml(tmp_path, "0.2.0", ["own.one", "own.three"])
    assert release(draft, bump="major", date=DAY).version == "1.0.0"


@pytest.mark.parametrize(
    ("said", "version"),
    [("0.0.0", "1.0.0"), ("0.0.9", "1.0.0"), ("0.1.0", "0.1.0"), ("0.1.0-rc.1", "0.1.0-rc.1"),
     ("3.2.1", "3.2.1")],
)  # fmt: skip
def test_the_first_version_is_the_drafts_own_from_0_1_on(tmp_path, said, version):
    assert release(draft_yaml(tmp_path, said), date=DAY).version == version


def test_a_bump_can_be_raised_and_not_lowered(tmp_path):
    draft = draft_yaml(tmp_path)
    release(draft, date=DAY)
    draft_yaml(tmp_path, ids=["own.one", "own.two"])
    said = (
        r"patch version after 1\.0\.0 is too small; the changes ask for minor\..*\n  minor  Added"
    )
    with pytest.raises(ConfigError, match=said):
        release(draft, bump="patch")
    assert release(draft, bump="major", date=DAY).version == "2.0.0"


def test_the_changelog_is_kept_and_grows_at_the_top(tmp_path):
    draft = draft_yaml(tmp_path)
    release(draft, notes=["A beginning."], date=DAY)
    draft_yaml(tmp_path, ids=["own.one", "own.two"])
    release(draft, date="2026-02-01")
    text = constitution_yaml("mine", ids=["own.one", "own.two", "own.three"]) + (
        "changelog:\n  # announced\n  - version: 1.2.0\n    changes: [Said before.]\n"
        "  - version: 0.0.1   # from before\n    changes: [Old.]\n"
    )
    draft.write_text(text)
    done = release(draft, notes=["One more: three.", " 'quoted' "], date="2026-02-02")
    assert [(e.version, e.date, e.changes) for e in read_file(done.path).changelog] == [
        ("1.2.0", "2026-02-02", (
            "Said before.", "One more: three.", "'quoted'",
            "Added 'own.three': The answer keeps to own three.",
        )),
        ("1.1.0", "2026-02-01", ("Added 'own.two': The answer keeps to own two.",)),
        ("1.0.0", DAY, ("A beginning.", "First release, with 1 principle.")),
        ("0.0.1", "", ("Old.",)),
    ]  # fmt: skip


@pytest.mark.parametrize("written", ["block", "flow", "empty"])
def test_a_changelog_in_the_draft_is_kept_as_it_is_written(tmp_path, written):
    draft = draft_yaml(tmp_path)
    first = release(draft, date=DAY)
    entry = {
        "block": "changelog:\n- version: 1.0.0   # why\n  date: '2026-01-31'\n  changes:\n"
        "  - >-\n    First release, with\n    1 principle.\n# the end\n",
        "flow": f"changelog: [{{version: 1.0.0, date: '{DAY}', changes: ['First release, with 1 "
        "principle.']}] # the end\n",
        "empty": "changelog: []   # the end\n",
    }[written]
    draft.write_text(constitution_yaml("mine", ids=["own.one", "own.two"]) + entry)
    done = release(draft, date=DAY)
    text = done.path.read_text()
    assert text.rstrip().endswith("# the end")
    assert ("# why" in text) == (written == "block")
    new, *old = read_file(done.path).changelog
    assert (new.version, tuple(old)) == ("1.1.0", read_file(first.path).changelog)


def test_nothing_is_released_when_nothing_has_changed(tmp_path):
    draft = draft_yaml(tmp_path)
    release(draft, date=DAY)
    draft.write_text("# A new comment\n" + draft.read_text().replace("0.0.0", "5.0.0"))
    with pytest.raises(ConfigError, match=r"Nothing has changed since 1\.0\.0"):
        release(draft)
    assert [p.name for p in draft.parent.glob("[0-9]*")] == ["1.0.0.yaml"]


def test_nothing_is_released_with_errors(tmp_path):
    draft = draft_yaml(tmp_path)
    edit(draft, ("judge: Which answer keeps closer to own one?", "judge: Be good."))
    with pytest.raises(
        ConfigError, match=r"mine@0\.0\.0 has errors.*\n  own\.one: 'judge'.* Fix: "
    ):
        release(draft)
    assert not (draft.parent / "releases.yaml").exists()


def test_nothing_is_released_after_a_version_that_has_changed(tmp_path):
    draft = draft_yaml(tmp_path)
    done = release(draft, date=DAY)
    draft_yaml(tmp_path, ids=["own.one", "own.two"])
    edit(done.path, ("note: Own.", "note: Theirs."))
    with pytest.raises(ConfigError, match=r"is not what it was, so nothing is released:\n.*edited"):
        release(draft)
    done.path.unlink()
    with pytest.raises(ConfigError, match=r"1\.0\.0 was released, and .* is missing"):
        release(draft)


def test_a_dry_run_writes_nothing(tmp_path):
    draft = draft_yaml(tmp_path)
    elsewhere = tmp_path / "else/mine"
    for into in (None, elsewhere):
        done = release(draft, into=into, dry_run=True)
        assert (done.version, done.done) == ("1.0.0", "nothing")
    assert [p.name for p in draft.parent.iterdir()] == ["draft.yaml"]
    assert not elsewhere.exists()


def test_into_another_folder(tmp_path):
    draft = write(tmp_path / "rules.yaml", constitution_yaml("mine"))
    with pytest.raises(ConfigError, match=r"'name: mine'.* --into constitution/mine"):
        release(draft)
    with pytest.raises(ConfigError, match=r"folder of that name; got .*other\."):
        release(draft, into=tmp_path / "other")
    done = release(draft, into=tmp_path / "constitution/mine", date=DAY)
    assert done.path == tmp_path / "constitution/mine/1.0.0.yaml"
    assert load_constitution("mine@^1", root=tmp_path / "constitution").version == "1.0.0"


def test_a_release_that_would_mean_something_else_in_its_folder_is_refused(tmp_path):
    family = family_yaml("colours", ["colours.red"])
    write(tmp_path / "near/principles/colours.yaml", family)
    write(tmp_path / "far/principles/colours.yaml", family.replace("keeps to", "ignores"))
    draft = constitution_yaml("mine", rest="include:\n  - family: colours\n")
    draft = write(tmp_path / "near/mine/draft.yaml", draft)
    with pytest.raises(
        ConfigError, match=r"would mean something else.*\n  Reworded 'colours\.red'"
    ):
        release(draft, into=tmp_path / "far/mine")
    assert list((tmp_path / "far/mine").iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        f"{{{', '.join(constitution_yaml('mine', rest='').splitlines()[:4])}, {BRACES}}}\n",
        constitution_yaml("mine", "&v 0.0.0").replace("About mine.", "*v"),
        constitution_yaml("mine") + "...\n",
    ],
    ids=["braces", "anchor", "end-mark"],
)
def test_a_text_that_cannot_be_changed_in_place_is_refused(tmp_path, text):
    draft = write(tmp_path / "mine/draft.yaml", text)
    with pytest.raises(ConfigError, match=r"Write each value where it is used"):
        release(draft)
    assert [p.name for p in draft.parent.iterdir()] == ["draft.yaml"]


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_line_ends_and_a_missing_one_at_the_end(tmp_path, ending):
    draft = draft_yaml(tmp_path)
    draft.write_bytes(draft.read_text().rstrip().replace("\n", ending).encode())
    done = release(draft, date=DAY)
    assert b"\r" not in done.path.read_bytes()
    assert read_file(done.path).changelog[0].version == "1.0.0"


def test_ids_and_tags_together_become_ids(tmp_path):
    text = family_yaml("colours", ["colours.red", "colours.blue", "colours.grey"])
    write(tmp_path / "principles/colours.yaml", text.replace("[own]", "[warm]", 1))
    rest = (
        "include:\n  - tags:\n      - warm # w\n    family: colours\n    ids: [colours.grey] # g\n"
    )
    done = release(draft_yaml(tmp_path, rest=rest), date=DAY)
    assert [tuple(i.ids) for i in read_file(done.path).include] == [("colours.red", "colours.grey")]
    assert "# w" in done.path.read_text()
    assert "# g" in done.path.read_text()


def test_what_a_killed_release_left_is_removed(tmp_path):
    draft = draft_yaml(tmp_path)
    write(draft.parent / ".1.0.0.yaml.deadbeef.new", "half of a fi")
    assert release(draft, dry_run=True).version == "1.0.0"
    release(draft, date=DAY)
    names = sorted(p.name for p in draft.parent.iterdir())
    assert names == ["1.0.0.yaml", "draft.yaml", "releases.yaml"]


class Killed(BaseException):
    """As if the process ended here."""


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_a_killed_release_can_be_run_again(tmp_path, monkeypatch, moved):
    """Moves are the steps that others can see: the version's file, then the record."""
    draft = draft_yaml(tmp_path)
    moves = []
    real = type(draft).replace

    def replace(self, target):
        if len(moves) == moved:
            raise Killed
        moves.append(target.name)
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(type(draft), "replace", replace)
        if moved == 2:
            release(draft, date=DAY)
        else:
            with pytest.raises(Killed):
                release(draft, date=DAY)
    assert moves == ["1.0.0.yaml", "releases.yaml"][:moved]
    file = draft.parent / "1.0.0.yaml"
    if moved == 2:
        return
    assert file.exists() == (moved == 1)
    again = release(draft, date="2026-02-02")
    assert (again.version, again.done) == ("1.0.0", ["written", "completed"][moved])
    [recorded] = read_releases(draft.parent)
    assert (recorded.file_sha256, recorded.date) == (sha(file), ["2026-02-02", DAY][moved])
    names = sorted(p.name for p in draft.parent.iterdir())
    assert names == ["1.0.0.yaml", "draft.yaml", "releases.yaml"]


def test_a_killed_release_is_not_completed_with_another_draft(tmp_path):
    draft = draft_yaml(tmp_path)
    release(draft, date=DAY)
    (draft.parent / "releases.yaml").unlink()
    draft_yaml(tmp_path, ids=["own.one", "own.two"])
    with pytest.raises(
        ConfigError, match=r"Not recorded as released in .*: 1\.0\.0\..*Record it: "
    ):
        release(draft)


def test_two_releases_at_once_are_refused(tmp_path):
    draft = draft_yaml(tmp_path)
    with (
        alone_in(draft.parent),
        pytest.raises(UsageError, match="Another release is being written"),
    ):
        release(draft)
    assert release(draft, date=DAY).done == "written"


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    draft = write(tmp_path / "rules.yaml", constitution_yaml("mine"))
    write(tmp_path / "file", "")
    with pytest.raises(UsageError, match=r"Cannot open .*file/mine: Not a directory"):
        release(draft, into=tmp_path / "file/mine")


def test_temporary_files_get_no_narrower_rights(tmp_path):
    before = os.umask(0o022)
    try:
        done = release(draft_yaml(tmp_path), date=DAY)
    finally:
        os.umask(before)
    assert done.path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"date": "31.1.2026"}, r"--date 31\.1\.2026 is not a day\. Write it like 2026-01-31"),
        ({"date": "20260131"}, "is not a day"),
        ({"notes": [" "]}, r"--note: a sentence of 1 to 2,000 characters"),
        ({"notes": ["x" * 2001]}, r"--note"),
        ({"bump": "minor"}, r"no version in .* that --bump minor could raise"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path, options, said):
    with pytest.raises(ConfigError, match=said):
        release(draft_yaml(tmp_path), **options)
