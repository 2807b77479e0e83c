"""Nothing that training can see holds a held-out or quarantined text, whichever way it is read."""

import ast
import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, get_args

import pyarrow.parquet as pq
import pytest

import cai
from cai.errors import ConfigError, SplitError
from cai.formats.layouts import LAYOUTS
from cai.hashing import canonical_json
from cai.records import Message, Pair, Prompt, Response, Revision, Row, Split
from cai.store import RunStore, rows_for
from cai.store.access import Purpose
from cai.store.export import export
from cai.store.groups import GroupIndex
from cai.store.signature import PERMUTATIONS, Signer, agreement
from cai.train.data import load_data, mix
from cai.train.examples import Demonstration, Preference, PromptExample, Ranking, Rating
from cai.train.settings import TrainConfig
from cai.validation import Labels
from cai.validation.cases import as_plain, find_cases
from cai.validation.exchange import export_items
from cai.validation.promote import promoted
from tests.unit.store_helpers import FACTS, PLAN, answered, ask, fill, request, verdict
from tests.unit.validation_helpers import ALL, draw, label_all

MARKERS: dict[Split, str] = {
    "train": "alpha-text",
    "dev": "bravo-text",
    "held_out": "charlie-text",
    "quarantine": "delta-text",
}
CLOSED = (MARKERS["held_out"], MARKERS["quarantine"])
KINDS = (Demonstration, Preference, PromptExample, Ranking, Rating)
ROOT = Path(cai.__file__).parent


def marked(number: int, split: Split) -> Row:
    """A row that says in every one of its texts, and in its tags, which split it belongs to."""
    mark, counter = MARKERS[split], count()

    def text() -> str:
        return f"{mark} {number} {next(counter)}"

    prompt = Prompt((Message("system", text()), Message("user", text())), (mark,), text())
    first, second, third = text(), text(), text()
    rounds = (
        Revision(1, "p1", "revised", second, text(), text(), text(), "c1", "r1"),
        Revision(2, "p2", "revised", third, text(), text(), text(), "c2", "r2"),
    )
    samples = tuple(Response(t, t + text(), "answered", "s") for t in (first, second))
    pairs = (
        Pair(prompt.id, "revision", first, third, mark, mark, verdict(0.2, 0.9, "second")),
        Pair(prompt.id, "samples", first, second, mark, mark, verdict(0.8, 0.1, "first")),
        Pair(prompt.id, "samples", second, third, mark, mark, verdict(0.5, 0.5, "tie")),
        Pair(prompt.id, "samples", first, first, mark, mark, note="identical"),
    )
    return Row(prompt, PLAN, samples, (rounds, rounds[:1]), pairs)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five rows of every split, calls that hold closed texts, prompts that wait, and labels."""
    splits = get_args(Split)
    rows = [(marked(i, split), split) for i in range(5) for split in splits]
    calls = [(f"call {m}", request(m), answered(m)) for m in MARKERS.values()]
    waiting = [ask(f"{m} waits") for m in CLOSED]
    folder = fill(tmp_path_factory.mktemp("leak") / "run", rows, calls=calls, waiting=waiting)
    with RunStore.open(folder, durable=False) as store:
        draw(store)
        label_all(store, ["Ann", "Ben", "Cyd"], lambda place, item: "first")
    return folder


def test_the_search_would_find_it(run: Path):
    with RunStore.read(run) as store:
        texts = canonical_json([row for row, _ in rows_for(store, "report")]).decode()
    assert all(texts.count(mark) > 100 for mark in MARKERS.values())


@pytest.mark.parametrize("sft", ["final", "all"])
def test_no_export_holds_a_closed_text(run: Path, tmp_path: Path, sft: Any):
    with RunStore.read(run) as store:
        folder = export(store, tmp_path / sft, sft=sft, layouts=tuple(LAYOUTS)).folder
    seen: dict[str, set[str]] = {"": set(), "dev": set()}
    for path in filter(Path.is_file, folder.rglob("*")):
        text = path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".parquet":
            text += str(pq.read_table(path).to_pylist())
        assert not any(mark in text for mark in CLOSED), path
        side = "dev" if path.parent.name == "dev" else ""
        seen[side] |= {mark for mark in MARKERS.values() if mark in text}
    assert seen == {"": {MARKERS["train"]}, "dev": {MARKERS["dev"]}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("revisions", ["final", "all"])
def test_no_trainer_reads_a_closed_text(run: Path, kind: type[Any], revisions: str):
    config = TrainConfig.model_validate(
        {"data": [{"run": str(run)}], "gate": "report", "sft": {"revisions": revisions}}
    )
    if kind in (Ranking, Rating):
        # A run holds none of these.
        with pytest.raises(ConfigError, match="No training examples"):
            load_data(kind, config)
        return
    data = load_data(kind, config)
    assert data.held_out == ()
    for side, mark in (("train", MARKERS["train"]), ("dev", MARKERS["dev"])):
        text = canonical_json(getattr(data, side)).decode()
        assert {m for m in MARKERS.values() if m in text} == {mark}
    assert MARKERS["dev"] not in canonical_json(mix(data.train, data.weights, 0)).decode()


@pytest.mark.parametrize("format", ["csv", "label-studio", "argilla"])
def test_what_people_get_is_held_out_and_says_no_verdict(run: Path, tmp_path: Path, format: Any):
    with RunStore.read(run) as store:
        files = export_items(store, tmp_path / f"{format}.x", format).files
        numbers = [o.p_shown_first for i in Labels(store).items() for o in orders(i.pair)]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    assert MARKERS["held_out"] in text
    assert not any(MARKERS[s] in text for s in ("train", "dev", "quarantine"))
    # The judge's numbers, its ids and the model's name all tell.
    assert numbers
    for secret in (*map(str, {n for n in numbers if n}), "judge-ab", "openai", "verdict"):
        assert secret not in text, secret


def orders(pair: Pair) -> Iterator[Any]:
    for principle in pair.verdict.principles if pair.verdict else ():
        yield from principle.orders


def test_cases_and_promotion_hold_held_out_texts_and_no_quarantined_ones(run: Path):
    with RunStore.read(run) as store:
        labels = Labels(store)
        cases = canonical_json(
            [as_plain(case) for case in find_cases(labels) if case.expect != "tie"]
        ).decode()
        assert MARKERS["held_out"] in cases
        assert not any(MARKERS[s] in cases for s in ("train", "dev", "quarantine"))
        # Nothing was promoted, so nothing comes to training by that way.
        assert list(promoted(store)) == []


def test_only_retired_groups_are_opened_and_only_what_people_said_of_them(tmp_path: Path):
    splits = get_args(Split)
    rows = [(marked(i, split), split) for i in range(4) for split in splits]
    folder = fill(tmp_path / "run", rows)
    with RunStore.open(folder, durable=False) as store:
        labels = Labels(store)
        draw(store)
        # People say the opposite of the judge, so that one can tell whose word it is.
        label_all(store, ["Ann"], lambda _, i: "first" if i.pair.kind == "revision" else "second")
        gone = rows[splits.index("held_out")][0].prompt
        labels.retire([gone.id], "promoted")
    config = TrainConfig.model_validate({"data": [{"run": str(folder)}], "gate": "report"})
    for kind in (Demonstration, PromptExample):
        assert MARKERS["held_out"] not in canonical_json(load_data(kind, config).train).decode()
    found = [e for e in load_data(Preference, config).train if e.origin == "human"]
    assert {e.prompt for e in found} == {gone.messages}
    assert len(found) == 3
    revised = next(e for e in found if e.id == rows[splits.index("held_out")][0].pairs[0].id)
    assert revised.chosen == rows[splits.index("held_out")][0].pairs[0].first
    others = [e for e in load_data(Preference, config).train if e.origin == "ai"]
    text = canonical_json(others).decode()
    assert not any(mark in text for mark in CLOSED)


@pytest.mark.parametrize(
    ("purpose", "open_to"),
    [("training", {"train"}), ("calibration", {"dev"}), ("validation", {"held_out"})],
)
def test_the_door(run: Path, purpose: Purpose, open_to: set[Split]):
    with RunStore.read(run) as store:
        assert {split for _, split in rows_for(store, purpose)} == open_to
        for split in get_args(Split):
            if split in open_to:
                assert list(rows_for(store, purpose, split))
                continue
            # At once, and not when the first row is read.
            with pytest.raises(SplitError, match=f"'{split}' are closed to {purpose}"):
                rows_for(store, purpose, split)
            with pytest.raises(SplitError):
                rows_for(store, purpose, *open_to, split)
        with pytest.raises(SplitError, match="Unknown purpose 'fun'"):
            rows_for(store, "fun")  # type: ignore[arg-type]


# The source


@cache
def source() -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """By module: the names of all functions and methods that it calls, and all its texts."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        called = [node.func for node in nodes if isinstance(node, ast.Call)]
        names = {getattr(f, "attr", getattr(f, "id", "")) for f in called}
        texts = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        found[path.relative_to(ROOT).as_posix()] = frozenset(names), frozenset(texts)
    return found


def callers(method: str) -> set[str]:
    """Modules that call a method or function of this name."""
    return {name for name, (called, _) in source().items() if method in called}


def words(name: str) -> frozenset[str]:
    """All texts in a module."""
    return source()[name][1]


def test_there_is_one_door_in_the_source():
    assert callers("rows") == {"store/access.py"}
    # Rows can also be had one by one, or by a query. The import of feedback looks up the plain
    # answers that it has just asked for, in a store of their own.
    assert callers("row") == {"cli/show.py", "feedback/conflicts.py"}
    asking = {name for name in source() if any("SELECT " in word for word in words(name))}
    # Feedback has tables of its own; test_feedback_* keep its held-out answers out of the exports.
    outside = {name for name in asking if not name.startswith(("store/", "feedback/"))}
    assert outside == {"validation/labels.py"}
    assert not [name for name in asking if name.startswith("store/export")]
    assert not [name for name in callers("connect_reader") if not name.startswith("store/")]


def test_training_asks_for_train_and_dev_alone():
    assert {name for name in callers("rows_for") if name.startswith("train/")} == {"train/data.py"}
    purposes, splits = set(get_args(Purpose)), set(get_args(Split))
    assert words("train/data.py") & purposes == {"training", "calibration"}
    # The held-out examples of trainers are those of files, which have sides of their own.
    assert words("train/data.py") & splits == {"train", "dev", "held_out"}
    assert words("store/export.py") & purposes == {"training", "calibration", "report"}


# Near-duplicates


def near_duplicates(families: int, members: int) -> list[Prompt]:
    """Families of prompts that share most of their words, in an order of their own."""
    draws = random.Random(7)
    prompts = []
    for family in range(families):
        words = [f"w{draws.randrange(4000)}" for _ in range(40)]
        for member in range(members):
            changed = list(words)
            # Each differs from the first by a few words more: some match only some of the others.
            for place in range(member * 2):
                changed[place * 3 % 40] = f"f{family}m{member}p{place}"
            prompts.append(Prompt((Message("user", " ".join(changed)),)))
    draws.shuffle(prompts)
    return prompts


def test_near_duplicates_never_lie_on_both_sides(tmp_path: Path):
    prompts = near_duplicates(60, 4)
    similarity = 0.7

    async def work(store: RunStore) -> None:
        for start in range(0, len(prompts), 50):
            index = GroupIndex(similarity, 0.2, 0.3, 0)
            await store.admit(prompts[start : start + 50], index, 0, 1)
        for i, prompt in enumerate(prompts):
            row = marked(i, "train")
            pair = replace(row.pairs[0], prompt_id=prompt.id)
            await store.put_row(replace(row, prompt=prompt, pairs=(pair,)))

    with RunStore.open(tmp_path / "run", durable=False) as store:
        store.set_meta(**FACTS)
        asyncio.run(work(store))
        sides = {
            purpose: [row.prompt for row, _ in rows_for(store, purpose)]
            for purpose in ("training", "calibration", "validation")
        }
        assert all(len(found) > 10 for found in sides.values())
        signer = Signer()
        signed = {name: [signer.sign(p) for p in found] for name, found in sides.items()}
        needed = similarity * PERMUTATIONS

        def matches(one: str, other: str) -> int:
            return sum(
                count >= needed for own in signed[one] for count in agreement(own, signed[other])
            )

        # There are near-duplicates, and all of them on the same side.
        assert matches("training", "training") > len(sides["training"])
        assert matches("training", "validation") == 0
        assert matches("calibration", "validation") == 0
        assert matches("training", "calibration") == 0
        # A promotion opens groups as a whole: no near-duplicate of a promoted prompt stays.
        labels = Labels(store)
        draw(store, 12, ALL)
        label_all(store, ["Ann"], lambda _, item: "first")
        taken = {item.group_id for item in labels.items()}
        labels.retire(taken, "promoted")
        promoted_ones = [signer.sign(Prompt(one.prompt)) for one in promoted(store)]
        assert promoted_ones
        signed["promoted"] = promoted_ones
        signed["left"] = [signer.sign(row.prompt) for row, _ in rows_for(store, "validation")]
        assert signed["left"]
        assert matches("promoted", "left") == 0


def test_the_published_jsonl_of_a_run_is_a_training_file_without_closed_rows(
    run: Path, tmp_path: Path
):
    """Whoever trains elsewhere has the exported files, and they are the train split alone."""
    with RunStore.read(run) as store:
        folder = export(store, tmp_path / "out", formats=("jsonl",)).folder
    config = TrainConfig.model_validate(
        {
            "data": [{"file": str(folder / "preferences.jsonl"), "held_out_share": 0.3}],
            "gate": "report",
        }
    )
    data = load_data(Preference, config)
    found = [*data.train, *data.dev, *data.held_out]
    rows = (folder / "preferences.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(found) == len(rows) == len({json.loads(row)["id"] for row in rows}) == 10
    assert not any(mark in canonical_json(found).decode() for mark in CLOSED)
