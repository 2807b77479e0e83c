"""Constitutions and families as files, and as objects, for tests of refs, releases and diffs."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from cai.constitution import Constitution, Principle

WORDINGS = ("text", "critique", "revise", "judge")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def principle_yaml(id_: str, more: str = "", **worded: str) -> str:
    """A principle that lint finds no error in."""
    subject = id_.replace(".", " ").replace("-", " ")
    words = {
        "text": f"The answer keeps to {subject}.",
        "critique": f"Point out where the answer fails to keep to {subject}.",
        "revise": f"Rewrite the answer so that it keeps to {subject}.",
        "judge": f"Which answer keeps closer to {subject}?",
    } | worded
    lines = "".join(f"    {key}: {value}\n" for key, value in words.items())
    return f"  - id: {id_}\n{lines}    tags: [own]\n    note: Own.\n{more}"


def constitution_yaml(
    name: str = "mine", version: str = "0.0.0", rest: str = "", ids: Iterable[str] = ("own.one",)
) -> str:
    own = "".join(map(principle_yaml, ids))
    listed = f"principles:\n{own}" if own else ""
    head = f"format: 1\nname: {name}\nversion: {version}\nsummary: About {name}.\n"
    return f"{head}{rest}{listed}"


def family_yaml(name: str, ids: Iterable[str]) -> str:
    own = "".join(map(principle_yaml, ids))
    return f"format: 1\nfamily: {name}\nsummary: About {name}.\nprinciples:\n{own}"


def draft_yaml(
    tmp_path: Path,
    version: str = "0.0.0",
    ids: Iterable[str] = ("own.one",),
    rest: str = "",
    name: str = "draft",
) -> Path:
    """The file of a constitution `mine` in a folder of that name."""
    return write(tmp_path / f"mine/{name}.yaml", constitution_yaml("mine", version, rest, ids))


def edit(path: Path, *pairs: tuple[str, str]) -> None:
    text = path.read_text("utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "utf-8")


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build(*principles: Principle | Mapping[str, Any], **changes: Any) -> Constitution:
    data = {"name": "mine", "version": "1.0.0", "summary": "s", "principles": principles}
    return Constitution.model_validate({**data, **changes})


def plain(id_: str, **changes: Any) -> dict[str, Any]:
    return {"id": id_, **{field: f"{field} of {id_}" for field in WORDINGS}, **changes}


# Few ids and words, so that renames, repeats and swaps come up often.
slugs = st.sampled_from(("a.a", "a.b", "b.a", "b.b", "c.c"))
tags = st.lists(st.sampled_from(("x", "y", "x.y", "z")), max_size=3, unique=True)
words = st.sampled_from(("one", "two words", "three words here", "Vier, fünf?", "one\ntwo"))
patterns = st.lists(st.sampled_from(("x", "y", "x.*", "*", "none")), max_size=2)
selectors = st.fixed_dictionaries({"any": patterns, "all": patterns, "none": patterns})
propositions = st.lists(
    st.fixed_dictionaries({"text": words, "weight": st.sampled_from((-2.0, -1.0, 0.0, 1.0, 2.5))}),
    max_size=3,
)
rubrics = st.lists(
    st.fixed_dictionaries({"score": st.integers(1, 10), "text": words}),
    max_size=3,
    unique_by=lambda level: level["score"],
)
examples = st.lists(
    st.fixed_dictionaries({"prompt": words, "better": words, "worse": words}), max_size=2
)
principles = st.fixed_dictionaries(
    {
        "id": slugs,
        "text": words,
        **{field: words | st.just("") for field in ("critique", "revise", "judge", "note")},
        "tags": tags,
        "weight": st.sampled_from((0.5, 1.0, 2.0)),
        "applies_to": selectors,
        "propositions": propositions,
        "rubric": rubrics,
        "examples": examples,
        "framing": st.sampled_from((None, "positive", "negative")),
    }
)
principle_lists = st.lists(principles, min_size=1, max_size=4, unique_by=lambda p: p["id"])


@st.composite
def constitutions(draw: st.DrawFn) -> Constitution:
    found = sorted(draw(principle_lists), key=lambda p: p["id"])
    origins = {p["id"]: draw(st.sampled_from(("own", "family x", "base@1.0.0"))) for p in found}
    return build(
        *found,
        version=draw(st.sampled_from(("1.0.0", "1.1.0"))),
        summary=draw(words),
        preamble=draw(words | st.just("")),
        priorities=draw(st.lists(slugs | st.just("tag:x"), max_size=2, unique=True)),
        aggregate=draw(st.sampled_from((None, "mean", "worst"))),
        origins=origins,
    )
