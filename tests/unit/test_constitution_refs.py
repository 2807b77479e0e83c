import json

import pytest

from cai.constitution import load_constitution
from cai.constitution.load import find_constitution
from cai.constitution.ranges import highest, parse_range
from cai.constitution.refs import admits
from cai.errors import ConfigError
from tests.unit.constitution_helpers import constitution_yaml, write

VERSIONS = (
    *("0.0.3", "0.0.4", "0.1.0", "0.1.5", "0.2.0-rc.1", "0.2.0", "0.2.3", "0.3.0", "1.0.0-rc.1"),
    *("1.0.0", "1.0.1", "1.2.0", "1.2.3-rc.1", "1.2.3-rc.2", "1.2.3", "1.2.4", "1.3.0-rc.1"),
    *("1.10.0", "2.0.0-rc.1", "2.0.0-rc.2", "2.0.0", "2.1.0", "3.0.0-rc.1"),
)

# From node-semver 7.8.5: maxSatisfying(VERSIONS, range), and the first and last of those that
# satisfies(version, range, {includePrerelease: true}), with their number.
NODE = """
["1", "1.10.0", ["1.0.0-rc.1", "1.10.0", 10]]
["1.2", "1.2.4", ["1.2.0", "1.2.4", 5]]
["0", "0.3.0", ["0.0.3", "0.3.0", 8]]
["0.0", "0.0.4", ["0.0.3", "0.0.4", 2]]
["0.2", "0.2.3", ["0.2.0-rc.1", "0.2.3", 3]]
["3", null, ["3.0.0-rc.1", "3.0.0-rc.1", 1]]
["4", null, null]
["^0", "0.3.0", ["0.0.3", "0.3.0", 8]]
["^0.0", "0.0.4", ["0.0.3", "0.0.4", 2]]
["^0.0.3", "0.0.3", ["0.0.3", "0.0.3", 1]]
["^0.1", "0.1.5", ["0.1.0", "0.1.5", 2]]
["^0.2", "0.2.3", ["0.2.0-rc.1", "0.2.3", 3]]
["^0.2.1", "0.2.3", ["0.2.3", "0.2.3", 1]]
["^1", "1.10.0", ["1.0.0-rc.1", "1.10.0", 10]]
["^1.2", "1.10.0", ["1.2.0", "1.10.0", 7]]
["^1.2.3", "1.10.0", ["1.2.3", "1.10.0", 4]]
["^1.2.3-rc.2", "1.10.0", ["1.2.3-rc.2", "1.10.0", 5]]
["^1.11", null, null]
["^2.0.0-rc.1", "2.1.0", ["2.0.0-rc.1", "2.1.0", 4]]
["^3", null, ["3.0.0-rc.1", "3.0.0-rc.1", 1]]
["~0", "0.3.0", ["0.0.3", "0.3.0", 8]]
["~0.2", "0.2.3", ["0.2.0-rc.1", "0.2.3", 3]]
["~0.2.1", "0.2.3", ["0.2.3", "0.2.3", 1]]
["~1", "1.10.0", ["1.0.0-rc.1", "1.10.0", 10]]
["~1.2", "1.2.4", ["1.2.0", "1.2.4", 5]]
["~1.2.3", "1.2.4", ["1.2.3", "1.2.4", 2]]
["~1.2.3-rc.1", "1.2.4", ["1.2.3-rc.1", "1.2.4", 4]]
["~1.3", null, ["1.3.0-rc.1", "1.3.0-rc.1", 1]]
["~2.1.1", null, null]
["^2", "2.1.0", ["2.0.0-rc.1", "2.1.0", 4]]
["~3", null, ["3.0.0-rc.1", "3.0.0-rc.1", 1]]
"""
TABLE = [json.loads(line) for line in NODE.strip().splitlines()]


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "constitution"
    for version in ("1.0.0", "1.2.0", "1.2.1", "1.10.0", "2.0.0-draft.1"):
        ids = ["own.one", f"own.v{version}"]
        write(folder / f"one/{version}.yaml", constitution_yaml("one", version, ids=ids))
    for version in ("0.2.0", "0.2.4", "0.3.0"):
        write(folder / f"early/{version}.yaml", constitution_yaml("early", version))
    write(folder / "one/draft.yaml", constitution_yaml("one", "0.0.0"))
    return folder


@pytest.mark.parametrize(("text", "releases", "all_of_them"), TABLE, ids=[row[0] for row in TABLE])
def test_ranges_mean_what_node_semver_means(text, releases, all_of_them):
    found = parse_range(text)
    admitted = [v for v in VERSIONS if found.admits(v)]
    assert (bool(admitted) and [admitted[0], admitted[-1], len(admitted)]) == (all_of_them or False)
    if releases:
        assert highest(admitted) == releases
    else:
        # Node finds nothing; a pre-release is better than nothing here.
        assert highest(admitted) == (all_of_them and all_of_them[1])


@pytest.mark.parametrize(
    "text",
    ["", "^", "1.2.3", "v1", "^1.", "^01", "1.x", ">=1", "^1.2.3.4", "^-1", "^1.2-rc.1", "^1 ", "٣",
     "^1.0.0-", "^1.0.0-..", "^" + "9" * 5000, "1.2\n"],
)  # fmt: skip
def test_what_is_no_range(text):
    assert parse_range(text) is None


@pytest.mark.parametrize(
    ("ref", "version"),
    [
        ("one", "1.10.0"),
        ("one@1.2.0", "1.2.0"),
        ("one@1.2", "1.2.1"),
        ("one@1", "1.10.0"),
        ("one@^1", "1.10.0"),
        ("one@^1.2", "1.10.0"),
        ("one@~1.2.0", "1.2.1"),
        ("one@2", "2.0.0-draft.1"),
        ("one@2.0.0-draft.1", "2.0.0-draft.1"),
        ("early@^0.2", "0.2.4"),
        ("early@^0.2.1", "0.2.4"),
        ("early@0", "0.3.0"),
    ],
)
def test_a_reference_is_resolved(root, ref, version):
    assert load_constitution(ref, root=root).version == version
    assert find_constitution(ref, root=root).stem == version


@pytest.mark.parametrize("digits", [8, 12, 64])
def test_a_hash_finds_its_version(root, digits):
    wanted = load_constitution("one@1.2.0", root=root)
    for one in (wanted.hash[:digits], wanted.hash[:digits].upper()):
        assert load_constitution(f"one@sha256:{one}", root=root) == wanted


def test_versions_that_mean_the_same_share_a_hash_and_the_highest_is_taken(root):
    wanted = load_constitution("early@0.2.0", root=root)
    found = load_constitution(f"early@sha256:{wanted.hash[:8]}", root=root)
    assert (found.version, found.hash) == ("0.3.0", wanted.hash)


def test_an_ambiguous_hash_is_refused(root, monkeypatch):
    real = load_constitution("one@1.0.0", root=root).hash
    monkeypatch.setattr(
        "cai.constitution.models.content_hash",
        lambda value: real[:10] + format(len(str(value)), "054x"),
    )
    said = r"'sha256:.*' is ambiguous\. Known: 1\.0\.0 \(.*, 1\.2\.0 \(.* Give more digits"
    with pytest.raises(ConfigError, match=said):
        load_constitution(f"one@sha256:{real[:8]}", root=root)


def test_a_broken_version_does_not_hide_the_others_from_a_hash(root):
    wanted = load_constitution("one@1.2.0", root=root)
    write(root / "one/1.0.0.yaml", "format: 2\n")
    assert load_constitution(f"one@sha256:{wanted.hash[:8]}", root=root) == wanted
    with pytest.raises(
        ConfigError, match=r"(?s)hash 'sha256:0{8}'.* 1\.0\.0 cannot be loaded: .*form"
    ):
        load_constitution("one@sha256:00000000", root=root)


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("onne@^1", r"called 'onne'\. Known: early, one\. Did you mean 'one'\?"),
        ("one@1.3.0", r"no version '1\.3\.0'\. Known: 1\.0\.0, .*\. Nearest: 1\.2\.0\. Use 'one@1"),
        ("one@^3", r"no version that '\^3' allows: from 3\.0\.0, below 4\.0\.0\. .*Nearest: 2\.0"),
        ("one@~1.1.2", r"from 1\.1\.2, below 1\.2\.0\. .*Nearest: 1\.2\.1\."),
        ("early@^0.2.7", r"from 0\.2\.7, below 0\.3\.0"),
        ("one@>=1", r"no version '>=1'.* a range \(1\.2, \^1\.2 or ~1\.2\.0\), or sha256:"),
        ("one@latest", r"no version 'latest'.*Allowed after the @"),
        ("one@", r"no version ''"),
        ("one@sha256:abc", r"'sha256:abc' is not a hash.* at least 8"),
        ("one@sha256:" + "g" * 8, r"is not a hash"),
        ("one@sha256:" + "0" * 65, r"is not a hash"),
        ("one@sha256:00000000", r"no version with the hash .*Known: 1\.0\.0 \(\w{16}\), .*one@1"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_named_with_what_is(root, ref, said):
    with pytest.raises(ConfigError, match=said):
        load_constitution(ref, root=root)


def test_parents_can_be_named_in_every_way(root):
    by_hash = load_constitution("early@0.2.0", root=root).hash
    for ref, label in (
        ("one@^1", "one@1.10.0"),
        ("one@1.2", "one@1.2.1"),
        (f"early@sha256:{by_hash[:8]}", "early@0.3.0"),
        ("../one/1.0.0.yaml", "one@1.0.0"),
    ):
        text = constitution_yaml("heir", "1.0.0", f"extends: ['{ref}']\n", ids=["heir.one"])
        heir = load_constitution(write(root / "heir/rules.yaml", text), root=root)
        assert heir.origins["own.one"] == label


def test_a_hash_that_leads_back_to_the_heir_is_not_followed(root):
    rest = "extends: ['one@sha256:00000000']\n"
    write(root / "one/3.0.0.yaml", constitution_yaml("one", "3.0.0", rest, ids=["heir.one"]))
    with pytest.raises(ConfigError, match=r"3\.0\.0 cannot be loaded: .*extends itself"):
        load_constitution("one@3.0.0", root=root)


def test_a_parent_that_many_heirs_share_is_read_once(root, monkeypatch):
    reads = []
    real = load_constitution.__globals__["read_file"]
    monkeypatch.setitem(
        load_constitution.__globals__, "read_file", lambda path: reads.append(path) or real(path)
    )
    above = "one@1.0.0"
    for level in range(12):
        refs = f"extends: ['{above}', '../l{level}b/1.0.0.yaml']\n"
        write(root / f"l{level}b/1.0.0.yaml", constitution_yaml(f"l{level}b", "1.0.0",
              f"extends: ['{above}']\n", ids=[]))  # fmt: skip
        write(root / f"l{level}/1.0.0.yaml", constitution_yaml(f"l{level}", "1.0.0", refs, ids=[]))
        above = f"l{level}@1.0.0"
    assert "own.one" in load_constitution(above, root=root)
    assert len(reads) == len(set(reads)) == 25


@pytest.mark.parametrize(
    ("ref", "allowed"),
    [("one", True), ("one@^1", True), ("one@1.2.0", True), ("one@~1.2", True), ("one@^2", False),
     ("two@^1", False), ("one@1.2.1", False), ("one@sha256:00000000", False), ("a/one", False),
     ("one@latest", False)],
)  # fmt: skip
def test_a_lock_asks_whether_a_reference_admits_a_version(ref, allowed):
    assert admits(ref, "one", "1.2.0") == allowed
