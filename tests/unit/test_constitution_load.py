import pytest

from cai.constitution import lint, list_constitutions, load_constitution
from cai.content import content_dir
from cai.errors import ConfigError

RELEASED = {
    "children@1.0.0": "09ad5bf63c57f005",
    "customer-support@1.0.0": "3a034e0e4838c400",
    "harmless-helpful@1.0.0": "c190dcd73078c489",
    "harmlessness@1.0.0": "c20c5536236a9f4a",
    "helpful-direct@1.0.0": "4b8eb915cb319a2e",
    "helpful-honest@1.0.0": "a6698a36d0b638b6",
    "honest-calibrated@1.0.0": "fc89f51fb0b2c473",
    "medical-information@1.0.0": "8beb7a02464e4ac4",
    "persona-lighthouse-keeper@1.0.0": "5349a19410a6f23e",
}


def principle(id_, tags="[]", weight=1):
    return (
        f"  - id: {id_}\n    text: t\n    critique: c\n    revise: r\n    judge: j\n"
        f"    tags: {tags}\n    weight: {weight}\n"
    )


def family(name, *principles):
    return f"format: 1\nfamily: {name}\nsummary: s\nprinciples:\n{''.join(principles)}"


def constitution(name="one", version="1.0.0", rest=""):
    body = rest or "principles:\n" + principle("own.one")
    return f"format: 1\nname: {name}\nversion: {version}\nsummary: about {name}\n{body}"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def root(tmp_path):
    write(
        tmp_path / "principles/colours.yaml",
        family(
            "colours",
            principle("colours.red", "[warm]"),
            principle("colours.orange", "[warm]", 3),
            principle("colours.blue", "[cold]"),
            principle("colours.grey"),
        ),
    )
    for version in ("1.0.0", "1.2.0", "1.10.0", "2.0.0-draft.1"):
        write(tmp_path / f"constitution/one/{version}.yaml", constitution(version=version))
    write(tmp_path / "constitution/new/0.1.0-rc.1.yaml", constitution("new", "0.1.0-rc.1"))
    write(tmp_path / "constitution/README.md", "not a constitution")
    return tmp_path / "constitution"


def ids(loaded):
    return [p.id for p in loaded.principles]


def load(root, rest):
    return load_constitution(write(root / "mine/rules.yaml", constitution("mine", rest=rest)))


@pytest.mark.parametrize(
    ("ref", "version"),
    [
        ("one", "1.10.0"),
        ("one@1.2.0", "1.2.0"),
        ("one@2.0.0-draft.1", "2.0.0-draft.1"),
        ("new", "0.1.0-rc.1"),
    ],
)
def test_a_name_means_its_highest_release(root, ref, version):
    assert load_constitution(ref, root=root).version == version


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("", ["colours.blue", "colours.grey", "colours.orange", "colours.red"]),
        ("ids: [colours.red]", ["colours.red"]),
        ("tags: [warm]", ["colours.orange", "colours.red"]),
        ("tags: [warm, cold]", ["colours.blue", "colours.orange", "colours.red"]),
        ("{ids: [colours.grey], tags: [cold]}", ["colours.blue", "colours.grey"]),
    ],
)
def test_an_include_takes_all_or_the_given_ids_and_tags(root, include, expected):
    entry = "    " + include.strip("{}").replace("], ", "]\n    ")
    assert ids(load(root, f"include:\n  - family: colours\n{entry}\n")) == expected


def test_own_principles_and_included_ones_come_sorted_by_id(root):
    rest = "principles:\n" + principle("zebra.x") + principle("ant.x")
    loaded = load(root, f"include:\n  - family: colours\n    tags: [cold]\n{rest}")
    assert ids(loaded) == ["ant.x", "colours.blue", "zebra.x"]


def test_an_include_can_replace_the_weights(root):
    kept = load(root, "include:\n  - family: colours\n    tags: [warm]\n")
    replaced = load(root, "include:\n  - family: colours\n    tags: [warm]\n    weight: 0.5\n")
    assert [p.weight for p in kept.principles] == [3, 1]
    assert [p.weight for p in replaced.principles] == [0.5, 0.5]


@pytest.mark.parametrize("depth", ["", "a/", "a/b/"])
def test_families_are_found_near_the_file_and_then_in_the_package(tmp_path, depth):
    write(tmp_path / "principles/mine.yaml", family("mine", principle("mine.one")))
    rest = "include:\n  - family: mine\n  - family: tone\n    ids: [tone.warm]\n"
    file = write(tmp_path / f"{depth}rules.yaml", constitution("mine", rest=rest))
    assert ids(load_constitution(file)) == ["mine.one", "tone.warm"]
    assert ids(load_constitution(str(file))) == ["mine.one", "tone.warm"]


def test_a_family_near_the_file_hides_the_packaged_one_and_a_given_folder_hides_both(tmp_path):
    write(tmp_path / "principles/tone.yaml", family("tone", principle("tone.near")))
    write(tmp_path / "given/tone.yaml", family("tone", principle("tone.given")))
    file = write(tmp_path / "rules.yaml", constitution(rest="include:\n  - family: tone\n"))
    assert ids(load_constitution(file)) == ["tone.near"]
    assert ids(load_constitution(file, principles_root=tmp_path / "given")) == ["tone.given"]


def test_three_levels_up_is_too_far(tmp_path):
    write(tmp_path / "principles/mine.yaml", family("mine", principle("mine.one")))
    rest = "include:\n  - family: mine\n"
    file = write(tmp_path / "a/b/c/rules.yaml", constitution("mine", rest=rest))
    with pytest.raises(ConfigError, match=r"no family is called 'mine'\. Known: .*honesty"):
        load_constitution(file)


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("onne", r"called 'onne'\. Known: new, one\. Did you mean 'one'\? .* path of a YAML file"),
        ("one@1.1.0", r"no version '1\.1\.0'\. Known: 1\.0\.0, 1\.2\.0, 1\.10\.0, 2\.0\.0-draft"),
        ("one@1.1.0", r"Use 'one@1\.10\.0'"),
        ("one@", r"no version ''"),
        ("..", r"called '\.\.'"),
        ("nowhere/rules.yaml", r"No such file: nowhere.rules\.yaml"),
        ("rules.yml", r"No such file: rules\.yml"),
    ],
)
def test_what_cannot_be_found_is_named_with_what_there_is(root, ref, said):
    with pytest.raises(ConfigError, match=said):
        load_constitution(ref, root=root)


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        (
            "include:\n  - family: colour\n",
            r"no family is called 'colour'\. Known: .*\. Did you mean 'colours'\? Searched: ",
        ),
        (
            "include:\n  - family: colours\n    ids: [colours.rot]\n",
            (
                r"no principle has the id 'colours\.rot'\. Known: colours\.red, .*"
                r"Did you mean 'colours\.red'"
            ),
        ),
        (
            "include:\n  - family: colours\n    tags: [wram]\n",
            r"no principle has the tag 'wram'\. Known: cold, warm\. Did you mean 'warm'",
        ),
        (
            "include:\n  - family: colours\nprinciples:\n" + principle("colours.red"),
            r"'colours\.red' comes twice: from 'family colours' and from 'its own principles'",
        ),
        (
            "include:\n  - family: colours\n  - {family: colours, tags: [cold], weight: 2}\n",
            r"'colours\.blue' comes with two meanings: from 'family colours' and",
        ),
        ("principles:\n" + principle("a.b") * 2, r"'a\.b' comes twice"),
        ("include: []\n", "there is no principle"),
        ("principle:\n" + principle("a.b"), r"unknown key 'principle'.*Did you mean 'principles'"),
    ],
)
def test_content_that_cannot_be_meant_is_refused(root, rest, said):
    with pytest.raises(ConfigError, match=said):
        load(root, rest)


def test_a_file_named_by_a_version_agrees_with_its_path(tmp_path):
    wrong = write(tmp_path / "one/1.0.1.yaml", constitution("one", "1.0.0"))
    with pytest.raises(ConfigError, match=r"named 1\.0\.1 but says 'version: 1\.0\.0'"):
        load_constitution(wrong)
    wrong = write(tmp_path / "two/1.0.0.yaml", constitution("one", "1.0.0"))
    with pytest.raises(ConfigError, match=r"folder is named 'two' but the file says 'name: one'"):
        load_constitution("two", root=tmp_path)
    free = write(tmp_path / "two/rules.yaml", constitution("one", "1.0.0"))
    assert load_constitution(free).label == "one@1.0.0"


@pytest.mark.parametrize("name", ["1.0", "v1.0.0", "1.0.0.final"])
def test_a_file_that_begins_like_a_version_is_one(root, name):
    write(root / f"one/{name}.yaml", constitution())
    with pytest.raises(ConfigError, match=rf"'{name}' is not a version.*1\.0\.0\.yaml"):
        load_constitution("one", root=root)


def test_drafts_and_cases_lie_beside_the_versions(root):
    write(root / "one/draft.yaml", constitution(version="3.0.0"))
    write(root / "one/cases.yaml", "format: 1\n")
    assert load_constitution("one", root=root).version == "1.10.0"
    assert [info.name for info in list_constitutions(root)] == ["new", "one"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (family("shapes", principle("a.b")), r"named colours but says 'family: shapes'"),
        (family("colours", principle("a.b") * 2), r"ids occur twice: a\.b"),
        (family("colours"), r"'principles'"),
    ],
)
def test_a_broken_family_is_refused(root, text, said):
    write(root.parent / "principles/colours.yaml", text)
    with pytest.raises(ConfigError, match=said):
        load(root, "include:\n  - family: colours\n")


def test_a_missing_folder_of_constitutions_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"No folder of constitutions at .*gone"):
        list_constitutions(tmp_path / "gone")


def test_the_list_tells_of_the_default_version(root):
    new, one = list_constitutions(root)
    assert (new.name, new.versions) == ("new", ("0.1.0-rc.1",))
    assert one.versions == ("1.0.0", "1.2.0", "1.10.0", "2.0.0-draft.1")
    assert (one.summary, one.principles) == ("about one", 1)
    assert one.path == root / "one/1.10.0.yaml"
    assert one.hash == load_constitution("one", root=root).hash


@pytest.mark.parametrize(
    ("name", "least"), [("harmless-helpful", 16), ("helpful-honest", 8), ("customer-support", 8)]
)
def test_the_shipped_constitutions_are_whole_and_clean(name, least):
    loaded = load_constitution(name)
    assert len(loaded.principles) >= least
    assert lint(loaded) == []


def test_every_shipped_family_can_be_included_and_is_clean(tmp_path):
    names = sorted(file.stem for file in content_dir("principles").glob("*.yaml"))
    rest = "include:\n" + "".join(f"  - family: {name}\n" for name in names)
    loaded = load_constitution(write(tmp_path / "all.yaml", constitution("all", rest=rest)))
    assert lint(loaded) == []
    assert {p.id.split(".")[0] for p in loaded.principles} == set(names)


@pytest.mark.parametrize("label", RELEASED)
def test_a_released_constitution_never_changes(label):
    assert load_constitution(label).hash[:16] == RELEASED[label], (
        "labels name this version by its hash: undo the change, or give it a new version or new ids"
    )


def test_every_shipped_version_is_listed_as_released():
    shipped = {f"{one.name}@{v}" for one in list_constitutions() for v in one.versions}
    assert shipped == set(RELEASED)
