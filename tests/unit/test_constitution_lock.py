import pytest

from cai.constitution import load_constitution
from cai.constitution.lock import FILE, read_lock, resolve_locked, write_lock
from cai.constitution.sources import sources
from cai.errors import ChangedRunError, ConfigError, UsageError
from tests.unit.constitution_helpers import (
    constitution_yaml,
    edit,
    family_yaml,
    principle_yaml,
    sha,
    write,
)


@pytest.fixture
def root(tmp_path):
    """`mine@1.0.0`, which takes a family and a parent."""
    write(tmp_path / "principles/colours.yaml", family_yaml("colours", ["colours.red"]))
    folder = tmp_path / "constitution"
    write(folder / "base/1.0.0.yaml", constitution_yaml("base", "1.0.0", ids=["base.one"]))
    rest = "extends: [base@^1]\ninclude:\n  - family: colours\n"
    write(folder / "mine/1.0.0.yaml", constitution_yaml("mine", "1.0.0", rest))
    return folder


def newer(root, version="1.1.0"):
    text = constitution_yaml("mine", version, ids=["own.one", "own.two"])
    return write(root / f"mine/{version}.yaml", text)


def begin(ref, root, run):
    """What `cai generate` does, with and without `--update`."""
    loaded = resolve_locked(ref, run, root=root)
    write_lock(ref, loaded, run, root=root)
    return loaded


def test_a_run_without_a_lock_takes_the_newest(root, tmp_path):
    newer(root)
    assert resolve_locked("mine", tmp_path / "run", root=root).version == "1.1.0"
    assert read_lock(tmp_path / "run") is None


@pytest.mark.parametrize("ref", ["mine", "mine@^1", "mine@1", "mine@1.0.0", "mine@sha256:{}"])
def test_a_newer_release_changes_no_run_that_has_begun(root, tmp_path, ref):
    ref = ref.format(load_constitution("mine", root=root).hash[:8])
    first = begin(ref, root, tmp_path / "run")
    newer(root)
    assert resolve_locked(ref, tmp_path / "run", root=root) == first
    assert begin(ref, root, tmp_path / "run").version == "1.0.0"


def test_update_takes_the_newest_and_pins_that(root, tmp_path):
    run = tmp_path / "run"
    begin("mine@^1", root, run)
    newer(root)
    loaded = resolve_locked("mine@^1", run, update=True, root=root)
    assert loaded.version == "1.1.0"
    assert read_lock(run).version == "1.0.0"
    write_lock("mine@^1", loaded, run, root=root)
    newer(root, "1.2.0")
    assert resolve_locked("mine@^1", run, root=root).version == "1.1.0"


def test_the_lock_names_everything_that_the_constitution_is_made_of(root, tmp_path):
    loaded = begin("mine@^1", root, tmp_path / "run")
    lock = read_lock(tmp_path / "run")
    assert (lock.ref, lock.label, lock.hash) == ("mine@^1", "mine@1.0.0", loaded.hash)
    files = {
        ("constitution", "mine@1.0.0"): root / "mine/1.0.0.yaml",
        ("family", "colours"): root.parent / "principles/colours.yaml",
        ("parent", "base@1.0.0"): root / "base/1.0.0.yaml",
    }
    assert {(f.kind, f.name): f.sha256 for f in lock.files} == {k: sha(p) for k, p in files.items()}
    text = (tmp_path / "run" / FILE).read_text()
    assert str(tmp_path) not in text
    assert text.startswith("# The constitution that this run uses.")
    assert "--update" in text


@pytest.mark.parametrize(
    ("ref", "version"),
    [("mine@1", "1.0.0"), ("mine@~1.0", "1.0.0"), ("mine", "1.0.0"), ("mine@^1.1", "1.1.0"),
     ("mine@1.1.0", "1.1.0"), ("base", "1.0.0")],
)  # fmt: skip
def test_another_reference_keeps_the_lock_as_long_as_it_allows_it(root, tmp_path, ref, version):
    begin("mine@^1", root, tmp_path / "run")
    newer(root)
    loaded = resolve_locked(ref, tmp_path / "run", root=root)
    assert (loaded.name, loaded.version) == (ref.partition("@")[0], version)


@pytest.mark.parametrize(
    ("file", "old", "new", "which"),
    [
        ("constitution/mine/1.0.0.yaml", "keeps to own", "ignores own", "constitution mine@1.0.0"),
        ("constitution/base/1.0.0.yaml", "keeps to", "ignores", "parent base@1.0.0"),
        ("principles/colours.yaml", "keeps to", "ignores", "family colours"),
    ],
)
def test_a_locked_version_that_means_something_else_is_refused(
    root, tmp_path, file, old, new, which
):
    before = begin("mine@^1", root, tmp_path / "run")
    edit(tmp_path / file, (old, new))
    with pytest.raises(ChangedRunError) as raised:
        resolve_locked("mine@^1", tmp_path / "run", root=root)
    message = str(raised.value)
    assert f"pinned to mine@1.0.0 (hash {before.hash[:12]}) by {FILE}" in message
    assert f"Different: {which}." in message
    assert "with --update" in message
    assert raised.value.keys == ("constitution",)
    assert resolve_locked("mine@^1", tmp_path / "run", update=True, root=root).hash != before.hash


def test_a_parent_that_was_released_again_is_named(root, tmp_path):
    begin("mine", root, tmp_path / "run")
    text = constitution_yaml("base", "1.1.0", ids=["base.one", "base.two"])
    write(root / "base/1.1.0.yaml", text)
    said = r"Different: parent base@1\.0\.0, parent base@1\.1\.0\."
    with pytest.raises(ChangedRunError, match=said):
        resolve_locked("mine", tmp_path / "run", root=root)


def test_notes_may_change_under_a_lock(root, tmp_path):
    begin("mine@^1", root, tmp_path / "run")
    edit(root / "mine/1.0.0.yaml", ("note: Own.", "note: Theirs."))
    assert resolve_locked("mine@^1", tmp_path / "run", root=root).version == "1.0.0"


def test_a_locked_version_that_is_gone_is_refused(root, tmp_path):
    begin("mine@^1", root, tmp_path / "run")
    newer(root)
    (root / "mine/1.0.0.yaml").unlink()
    said = r"cannot be loaded any more: Constitution 'mine' has no version '1\.0\.0'.*--update"
    with pytest.raises(ChangedRunError, match=said):
        resolve_locked("mine@^1", tmp_path / "run", root=root)


def test_a_path_is_recorded_and_must_mean_the_same(root, tmp_path):
    draft = write(root / "mine/draft.yaml", constitution_yaml("mine", "1.1.0"))
    begin(str(draft), root, tmp_path / "run")
    assert [(f.kind, f.name) for f in read_lock(tmp_path / "run").files] == [
        ("constitution", "mine@1.1.0")
    ]
    assert resolve_locked(str(draft), tmp_path / "run", root=root).version == "1.1.0"
    edit(draft, ("keeps to own", "ignores own"))
    with pytest.raises(ChangedRunError, match=r"Different: constitution mine@1\.1\.0"):
        resolve_locked(str(draft), tmp_path / "run", root=root)


def test_a_path_to_another_version_is_left_to_the_store(root, tmp_path):
    begin("mine@1.0.0", root, tmp_path / "run")
    loaded = resolve_locked(str(newer(root)), tmp_path / "run", root=root)
    assert loaded.version == "1.1.0"


def test_the_same_lock_is_not_written_twice(root, tmp_path):
    begin("mine", root, tmp_path / "run")
    path = tmp_path / "run" / FILE
    path.write_text(path.read_text() + "# a remark\n")
    begin("mine", root, tmp_path / "run")
    assert path.read_text().endswith("# a remark\n")
    begin("mine@^1", root, tmp_path / "run")
    assert not path.read_text().endswith("# a remark\n")


def test_a_broken_lock_is_refused(root, tmp_path):
    write(tmp_path / "run" / FILE, "format: 2\n")
    with pytest.raises(ConfigError, match=r"constitution\.lock\.yaml:.*\n?.*'format'"):
        resolve_locked("mine", tmp_path / "run", root=root)


def test_a_lock_that_cannot_be_written_is_named(root, tmp_path):
    write(tmp_path / "run", "a file")
    loaded = load_constitution("mine", root=root)
    with pytest.raises(UsageError, match=r"Cannot write .*constitution\.lock\.yaml: "):
        write_lock("mine", loaded, tmp_path / "run", root=root)


def test_sources_name_each_file_once(root, tmp_path):
    text = constitution_yaml("heir", rest="extends: [mine, base]\ninclude:\n  - family: colours\n")
    heir = write(root / "heir/draft.yaml", text)
    found = [(s.kind, s.name) for s in sources(heir, root=root)]
    assert found == [
        ("constitution", "heir@0.0.0"),
        ("family", "colours"),
        ("parent", "base@1.0.0"),
        ("parent", "mine@1.0.0"),
    ]
    given = write(tmp_path / "given/colours.yaml", family_yaml("colours", ["colours.red"]))
    given.write_text(given.read_text() + principle_yaml("colours.given"))
    families = [s.sha256 for s in sources(heir, root=root, principles_root=given.parent)]
    assert sha(given) in families


def test_the_packaged_constitutions_can_be_locked(tmp_path):
    loaded = resolve_locked("harmless-helpful@^1", tmp_path)
    write_lock("harmless-helpful@^1", loaded, tmp_path)
    assert resolve_locked("harmless-helpful", tmp_path) == loaded
