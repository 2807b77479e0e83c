"""Which version a draft becomes, and what no release may do to versions that there are."""

import pytest
from typer.testing import CliRunner

from cai.cli.constitution import app
from cai.constitution import load_constitution
from cai.constitution.release import release
from cai.constitution.release.folder import Standing
from cai.constitution.release_records import read_releases
from cai.errors import ConfigError
from tests.unit.constitution_helpers import constitution_yaml, draft_yaml, edit, sha, write

DAY = "2026-01-31"
MORE = ["own.one", "own.two"]


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("said", "following"), [("1.0.0-rc.1", "1.0.0-rc.2"), ("1.0.0-beta", "1.0.0-beta.0")]
)
def test_a_pre_release_is_not_released_again(tmp_path, said, following, dry_run):
    draft = draft_yaml(tmp_path, said)
    first = release(draft, date=DAY)
    before = sha(first.path), sha(draft.parent / "releases.yaml")
    draft_yaml(tmp_path, said, MORE)
    with pytest.raises(
        ConfigError, match=rf"{said} is recorded already.*Write {following} under 'version'"
    ):
        release(draft, dry_run=dry_run)
    assert (sha(first.path), sha(draft.parent / "releases.yaml")) == before
    draft_yaml(tmp_path, following, MORE)
    assert release(draft, date=DAY).version == following
    draft_yaml(tmp_path, "1.0.0", MORE)
    assert release(draft, date=DAY).version == "1.0.0"
    assert [r.version for r in read_releases(draft.parent)] == [said, following, "1.0.0"]


def test_a_pre_release_below_one_that_is_recorded_is_refused(tmp_path):
    draft = draft_yaml(tmp_path, "1.0.0-rc.2")
    release(draft, date=DAY)
    draft_yaml(tmp_path, "1.0.0-rc.1", MORE)
    with pytest.raises(ConfigError, match=r"1\.0\.0-rc\.2 is recorded.*Write 1\.0\.0-rc\.3"):
        release(draft)


def test_a_later_pre_release_is_not_released_again(tmp_path):
    draft = draft_yaml(tmp_path)
    release(draft, date=DAY)
    draft_yaml(tmp_path, "1.1.0-rc.1", MORE)
    done = release(draft, date=DAY)
    assert (done.version, done.step) == ("1.1.0-rc.1", "minor")
    edit(draft, ("keeps to own two", "holds to own two"))
    with pytest.raises(ConfigError, match=r"Write 1\.1\.0-rc\.2"):
        release(draft)


def test_an_interrupted_pre_release_is_completed(tmp_path):
    draft = draft_yaml(tmp_path, "1.0.0-rc.1")
    done = release(draft, date=DAY)
    (draft.parent / "releases.yaml").unlink()
    assert release(draft, date=DAY).done == "completed"
    assert [r.file_sha256 for r in read_releases(draft.parent)] == [sha(done.path)]


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    draft = draft_yaml(tmp_path)
    file = draft.parent / "1.0.0.yaml"
    monkeypatch.setattr(
        "cai.constitution.release.publish.require_same", lambda *_: file.write_text("theirs")
    )
    with pytest.raises(ConfigError, match="a version is never overwritten"):
        release(draft, date=DAY)
    assert file.read_text() == "theirs"
    assert not (draft.parent / "releases.yaml").exists()


def test_a_version_is_recorded_once(tmp_path):
    done = release(draft_yaml(tmp_path), date=DAY)
    standing = Standing.read(done.path.parent)
    with pytest.raises(ConfigError, match="each version may occur once"):
        standing.record(done.path, load_constitution(done.path), DAY, "patch")
    assert len(read_releases(done.path.parent)) == 1


@pytest.mark.parametrize(
    ("said", "bump", "version", "remark"),
    [
        ("3.0.0", "auto", "3.0.0", ""),
        ("1.3.0", "auto", "1.3.0", ""),
        ("3.0.0", "major", "3.0.0", ""),
        ("1.0.0", "auto", "1.1.0", ""),
        ("0.0.0", "auto", "1.1.0", ""),
        ("1.0.1", "auto", "1.1.0", "'version: 1.0.1', which raises 1.0.0 too little: 1.1.0"),
        ("0.9.0", "auto", "1.1.0", "'version: 0.9.0', which is not above 1.0.0: 1.1.0"),
        ("3.0.0", "minor", "1.1.0", "'version: 3.0.0', which does not fit --bump minor: 1.1.0"),
        ("1.1.0", "major", "2.0.0", "'version: 1.1.0', which does not fit --bump major: 2.0.0"),
    ],
)
def test_the_drafts_own_version_is_taken_or_it_is_said_why_not(
    tmp_path, said, bump, version, remark
):
    draft = draft_yaml(tmp_path)
    release(draft, date=DAY)
    draft_yaml(tmp_path, said, MORE)
    result = CliRunner().invoke(app, ["release", str(draft), "--bump", bump, "--date", DAY])
    assert result.exit_code == 0
    assert f"mine 1.0.0 → {version} (" in result.output
    assert ("The draft says" in result.output) == bool(remark)
    assert remark in result.output
    assert load_constitution(draft.parent / f"{version}.yaml").version == version


def test_a_release_extends_no_draft(tmp_path):
    parent = write(tmp_path / "pa/draft.yaml", constitution_yaml("pa", ids=["pa.one"]))
    draft = draft_yaml(tmp_path, rest="extends: [../pa/draft.yaml]\n")
    by_hand = draft_yaml(
        tmp_path / "hand", "1.0.0", rest="extends: [../../pa/draft.yaml]\n", name="1.0.0"
    )
    for file in (draft, by_hand):
        with pytest.raises(
            ConfigError,
            match=r"is not a version.* release .*pa/draft\.yaml.*'pa@1\.0\.0' or '\.\./",
        ):
            release(file, date=DAY)
    release(parent, date=DAY)
    edit(draft, ("pa/draft.yaml", "pa/1.0.0.yaml"))
    assert release(draft, date=DAY).version == "1.0.0"


def test_a_release_has_no_draft_among_its_forebears(tmp_path):
    """A version that was made by hand may extend a draft; whoever extends it would change, too."""
    draft_of_old = write(tmp_path / "old/draft.yaml", constitution_yaml("old", ids=["old.one"]))
    middle = constitution_yaml("pa", "1.0.0", "extends: [../old/draft.yaml]\n", ["pa.one"])
    parent = write(tmp_path / "pa/1.0.0.yaml", middle)
    # The same is a parent of both parents.
    also = constitution_yaml("ma", "1.0.0", "extends: [../pa/1.0.0.yaml]\n", ["ma.one"])
    write(tmp_path / "ma/1.0.0.yaml", also)
    draft = draft_yaml(tmp_path, rest="extends: [../ma/1.0.0.yaml, ../pa/1.0.0.yaml]\n")
    twice = "extends: [../../ma/1.0.0.yaml, ../../pa/1.0.0.yaml]\n"
    by_hand = draft_yaml(tmp_path / "hand", "1.0.0", rest=twice, name="1.0.0")
    for file in (draft, by_hand):
        with pytest.raises(
            ConfigError,
            match=rf"pa/1\.0\.0\.yaml: extends '\.\./old/draft\.yaml'.* {file} would change",
        ):
            release(file, date=DAY)
        assert not (file.parent / "releases.yaml").exists()
    release(draft_of_old, date=DAY)
    edit(parent, ("old/draft.yaml", "old/1.0.0.yaml"))
    assert [release(file, date=DAY).done for file in (draft, by_hand)] == ["written", "recorded"]


def test_versions_end_in_yaml(tmp_path):
    file = draft_yaml(tmp_path, "1.0.0", name="1.0.0")
    other = file.rename(file.with_suffix(".yml"))
    draft = draft_yaml(tmp_path)
    for told in (
        lambda: release(other),
        lambda: release(draft),
        lambda: load_constitution("mine", root=tmp_path),
    ):
        with pytest.raises(ConfigError, match=r"1\.0\.0\.yml: .*Rename it to 1\.0\.0\.yaml"):
            told()
    linted = CliRunner().invoke(app, ["lint", str(other)])
    assert "Rename it to 1.0.0.yaml" in linted.output + str(linted.exception)


def test_where_a_draft_was_copied_from_does_not_stay_in_a_release(tmp_path):
    draft = draft_yaml(tmp_path)
    whole = CliRunner().invoke(app, ["show", "customer-support", "--format", "yaml"]).output
    first, origin, _ = whole.split("\n", 2)
    assert first.startswith("# yaml-language-server: $schema=../")
    assert origin.startswith("# customer-support@1.0.0, hash ")
    draft.write_text(whole.replace("name: customer-support", "name: mine"))
    done = release(draft, date=DAY)
    lines = done.path.read_text().splitlines()
    assert lines[:2] == [first, "format: 1"]
    assert origin in draft.read_text()
