from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cai.constitution import Constitution, Principle, load_constitution
from cai.constitution.schema import editor_schemas, write_schemas
from cai.content import content_dir

WORDINGS = ("text", "critique", "revise", "judge")

words = st.text("abcdefghij '?.:#-", min_size=1, max_size=30).filter(str.strip)
slugs = st.from_regex(r"[a-z]{1,8}\.[a-z]{1,8}", fullmatch=True)


@st.composite
def entries(draw):
    return {
        "id": draw(slugs),
        **{field: draw(words) for field in WORDINGS},
        "tags": draw(st.lists(slugs, max_size=3, unique=True)),
        "weight": draw(st.floats(0.01, 100)),
        "note": draw(words),
    }


sets = st.lists(entries(), min_size=1, max_size=4, unique_by=lambda e: e["id"])


def build(principles, **changes):
    data = {"name": "x", "version": "1.0.0", "summary": "s", "principles": principles}
    return Constitution.model_validate({**data, **changes})


def as_yaml(data):
    out = StringIO()
    YAML().dump(data, out)
    return out.getvalue()


@settings(deadline=None, max_examples=50)
@given(sets, st.randoms(use_true_random=False))
def test_the_hash_ignores_order_comments_notes_and_names(tmp_path_factory, principles, rng):
    shuffled = [dict(rng.sample(list(p.items()), len(p))) for p in principles]
    rng.shuffle(shuffled)
    for entry in shuffled:
        entry["note"] = f"another note {rng.random()}"
        rng.shuffle(entry["tags"])
    head = {"format": 1, "name": "y", "version": "3.1.4", "summary": "another"}
    text = "# a comment\n" + as_yaml({"principles": shuffled, **head}) + "\n# the end\n"
    file = tmp_path_factory.mktemp("c") / "mine.yaml"
    file.write_text(text)
    assert load_constitution(file).hash == build(principles).hash


@given(sets, st.data())
def test_the_hash_notices_every_change_that_a_model_or_a_draw_can_notice(principles, data):
    entry = data.draw(st.sampled_from(principles))
    field = data.draw(st.sampled_from([*WORDINGS, "tags", "weight", "id"]))
    changed = {
        "tags": [*entry["tags"], "one-more"],
        "weight": entry["weight"] * 1.5,
        "id": entry["id"] + ".more",
    }
    value = changed[field] if field in changed else entry[field] + "!"
    others = [p for p in principles if p is not entry]
    assert build([*others, {**entry, field: value}]).hash != build(principles).hash


def test_a_copy_has_its_own_hash_and_its_own_principles():
    one = {"id": "a.b", "text": "t", "critique": "c", "revise": "r", "judge": "j"}
    original = build([one])
    assert original["a.b"].text == "t"
    before = original.hash
    changed = original.model_copy(
        update={"principles": (Principle(**{**one, "text": "another"}),)},
    )
    assert changed.hash == build([{**one, "text": "another"}]).hash != before
    assert changed["a.b"].text == "another"
    assert original.hash == before


def test_an_unknown_principle_is_a_key_error():
    one = {"id": "a.b", "text": "t", "critique": "c", "revise": "r", "judge": "j"}
    with pytest.raises(KeyError, match=r"a\.c"):
        build([one])["a.c"]


@pytest.mark.parametrize("name", sorted(editor_schemas()))
def test_the_schemas_for_editors_are_up_to_date(name):
    shipped = (content_dir("constitution") / name).read_text(encoding="utf-8")
    assert shipped == editor_schemas()[name], (
        "the models changed: run cai.constitution.schema.write_schemas(Path('constitution'))"
    )


def test_every_field_in_the_schemas_is_described(tmp_path):
    import json

    write_schemas(tmp_path)
    for file in tmp_path.iterdir():
        schema = json.loads(file.read_text())
        for model in [schema, *schema["$defs"].values()]:
            # A section with a short form is one of several alternatives.
            for section in model.get("anyOf", [model]):
                for field, rule in section.get("properties", {}).items():
                    assert rule.get("description"), (file, field)


def test_the_shipped_files_fit_the_schemas_that_they_name():
    import json

    import jsonschema

    files = [
        *content_dir("constitution").glob("*/*.*.*.yaml"),
        *content_dir("constitution").glob("*/cases.yaml"),
        *content_dir("principles").rglob("*.yaml"),
    ]
    assert len(files) >= 30
    for file in files:
        first = file.read_text(encoding="utf-8").splitlines()[0]
        label, _, target = first.partition("$schema=")
        assert label == "# yaml-language-server: "
        schema = json.loads((file.parent / target).read_text(encoding="utf-8"))
        jsonschema.validate(YAML(typ="safe").load(file), schema)
