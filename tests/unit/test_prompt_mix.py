"""Prompt files mixed at set shares, and the principles that their prompts are under."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import cai
from cai.cli.app import app
from cai.config import Config, load_config, parse_config
from cai.engines import Engines, ScriptedEngine
from cai.errors import ChangedRunError, ConfigError, FatalEngineError, InputError
from cai.loop.estimate import estimate
from cai.loop.mix import turns
from cai.loop.source import open_source
from cai.records import Completion, Message, Prompt, Request, Row
from cai.store import RunStore
from cai.store.merge import merge
from cai.store.shard import Shard
from tests.unit.test_generation import constitution, principle


def write(path: Path, prompts: Sequence[str]) -> Path:
    path.write_text("".join(f"{prompt}\n" for prompt in prompts), encoding="utf-8")
    return path


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write(tmp_path / "red.txt", [f"Harmful thing {i}?" for i in range(30)])
    write(tmp_path / "help.txt", [f"Useful thing {i}?" for i in range(40)])
    write(tmp_path / "code.txt", [f"Program {i}?" for i in range(40)])
    return tmp_path


HELP = {"path": "help.txt", "share": 0.3, "tags": ["helpful"], "principles": ["helpfulness"]}
CODE = {"path": "code.txt", "share": 0.1, "tags": ["code"]}


def config(files: Path, *mix: dict[str, Any], limit: int | None = None, **sections: Any) -> Config:
    entries = [{**one, "path": str(files / one["path"])} for one in mix]
    data = {
        "run": str(files / "run"),
        "prompts": {"path": str(files / "red.txt"), "limit": limit, "mix": entries},
        "models": {"policy": {"engine": "scripted"}},
        "split": {"dev": 0.0, "held_out": 0.0},
        **sections,
    }
    return parse_config(data)


def texts(files: Path, *mix: dict[str, Any], limit: int | None = None) -> list[str]:
    source = open_source(config(files, *mix, limit=limit).prompts, None)
    found = [p.messages[-1].content for batch in source.batches(7) for p in batch]
    assert len(found) == source.total
    return found


@given(st.lists(st.integers(1, 200), min_size=1, max_size=5), st.integers(1, 400))
def test_shares_are_exact_to_less_than_one_prompt_at_any_limit(parts: list[int], n: int) -> None:
    whole = sum(parts) + 7
    shares = [round(part / whole, 4) or 0.0001 for part in parts]
    exact = [Fraction(str(share)) for share in shares]
    given_ = Counter[int]()
    for count, turn in enumerate(islice(turns(shares), n), 1):
        given_[turn] += 1
        for i, share in enumerate([1 - sum(exact), *exact]):
            assert abs(given_[i] - share * count) < 1


def test_files_are_mixed_until_the_first_is_used_up(files: Path) -> None:
    found = texts(files, HELP, CODE)
    kinds = Counter(text.split()[0] for text in found)
    # 30 are 60 % of 50.
    assert kinds["Harmful"] == 30
    assert abs(kinds["Useful"] - 15) <= 1
    assert abs(kinds["Program"] - 5) <= 1
    assert len(set(found)) == len(found)
    assert texts(files) == [f"Harmful thing {i}?" for i in range(30)]


def test_every_limit_is_the_beginning_of_the_next(files: Path) -> None:
    found = texts(files, HELP, CODE)
    for limit in (1, 2, 9, 10, 31, len(found)):
        assert texts(files, HELP, CODE, limit=limit) == found[:limit]


def test_the_choice_goes_by_hash_and_not_by_the_order_of_the_file(files: Path) -> None:
    before = set(texts(files, HELP))
    write(files / "help.txt", [f"Useful thing {i}?" for i in reversed(range(40))])
    assert set(texts(files, HELP)) == before
    assert any(f"Useful thing {i}?" in before for i in range(20, 40))


def test_a_prompt_of_two_files_belongs_to_the_first(files: Path) -> None:
    write(files / "help.txt", ["Harmful thing 3?", *(f"Useful {i}?" for i in range(14))] * 2)
    source = open_source(config(files, HELP).prompts, None)
    found = list(source.read())
    assert len({prompt.id for prompt in found}) == len(found) == source.rows
    (three,) = [p for p in found if p.messages[0].content == "Harmful thing 3?"]
    assert three.tags == ()
    assert three.source == "red.txt:4"


def test_tags_are_added_to_those_of_the_file(files: Path) -> None:
    lines = [{"prompt": f"Useful {i}?", "tags": ["own", "helpful"]} for i in range(20)]
    (files / "help.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    mixed = {**HELP, "path": "help.jsonl", "tags": ["helpful", "new"]}
    source = open_source(config(files, mixed).prompts, None)
    tags = {prompt.tags for prompt in source.read() if "Useful" in prompt.messages[0].content}
    assert tags == {("own", "helpful", "new")}


def test_a_file_that_is_too_small_says_how_far_it_reaches(files: Path) -> None:
    write(files / "help.txt", [f"Useful {i}?" for i in range(5)])
    with pytest.raises(InputError, match=r"5 different prompts .* 0\.3 they are used up") as caught:
        texts(files, HELP)
    reach = int(str(caught.value).split("prompts.limit to ")[1].split()[0])
    found = texts(files, HELP, limit=reach)
    assert sum("Useful" in text for text in found) == 5
    with pytest.raises(InputError, match="used up"):
        texts(files, HELP, limit=reach + 1)


def test_the_hash_covers_all_files_and_shares(files: Path) -> None:
    def hash_of(*mix: dict[str, Any]) -> str:
        return open_source(config(files, *mix).prompts, None).hash

    hashes = [hash_of(), hash_of(HELP), hash_of(HELP, CODE), hash_of({**HELP, "share": 0.2})]
    hashes.append(hash_of({**HELP, "tags": ["other"]}))
    # What they are judged under is asked for in a key of its own.
    assert hash_of({**HELP, "principles": []}) == hashes[1]
    write(files / "help.txt", [f"Useful thing {i}?" for i in range(39)])
    hashes.append(hash_of(HELP))
    assert len(set(hashes)) == len(hashes)


def test_prompts_in_python_can_be_mixed_with_files(files: Path) -> None:
    given_ = [Prompt((Message("user", f"Given {i}?"),)) for i in range(9)]
    source = open_source(config(files, {**HELP, "share": 0.1}).prompts, given_)
    found = [prompt.messages[0].content for prompt in source.read()]
    assert found.count("Given 3?") == 1
    assert len(found) == source.total == 10


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        ([HELP, {**CODE, "share": 0.7}], "nothing is left for `path`"),
        ([{**HELP, "tags": []}], "principles needs tags"),
        ([{**HELP, "share": 0.0}], "share"),
        ([{**HELP, "shares": 0.1}], "shares"),
    ],
)
def test_a_mix_that_cannot_be_is_refused(
    files: Path, mix: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        config(files, *mix)


def test_paths_are_relative_to_the_config(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    data = {"prompts": {"path": "red.txt", "mix": [HELP]}}
    (files / "cai.yaml").write_text(json.dumps(data), encoding="utf-8")
    (mixed,) = load_config(files / "cai.yaml").prompts.mix
    assert mixed.path == str((files / "help.txt").resolve())


def answer(request: Request) -> str | Completion:
    if request.stage == "judge":
        return ScriptedEngine.label(0.7)
    return f"{request.stage} {request.sample_index} {len(request.messages[-1].content)}."


def tagged_constitution() -> Any:
    wide = constitution("kind", "harmless", "polite")
    useful = principle("useful").model_copy(update={"tags": ("helpfulness",)})
    return wide.model_copy(update={"principles": (*wide.principles, useful)})


Run = Callable[..., cai.Generation]


@pytest.fixture
def run(files: Path) -> Run:
    def make(
        *mix: dict[str, Any],
        engine: ScriptedEngine | None = None,
        limit: int | None = 10,
        update: bool = False,
        shard: Shard | None = None,
        **sections: Any,
    ) -> cai.Generation:
        one = engine or ScriptedEngine(answer=answer)
        return cai.Generation(
            config(files, *(mix or (HELP,)), limit=limit, **sections),
            constitution=tagged_constitution(),
            engines=Engines(one, one, one),
            update=update,
            shard=shard,
        )

    return make


def principles_of(row: Row) -> set[str]:
    verdicts = [v for pair in row.pairs for v in (pair.verdict.principles if pair.verdict else ())]
    drawn = {revision.principle_id for chain in row.revisions for revision in chain}
    return drawn | {i for verdict in verdicts for i in verdict.principle_ids}


@pytest.mark.parametrize("scope", ["drawn", "each", "constitution"])
def test_helpful_prompts_are_under_principles_of_helpfulness(run: Run, scope: str) -> None:
    rows = list(run(judge={"scope": scope}, limit=20))
    helpful = [row for row in rows if "helpful" in row.prompt.tags]
    assert len(helpful) == 6
    assert {i for row in helpful for i in principles_of(row)} == {"useful"}
    others = {i for row in rows if row not in helpful for i in principles_of(row)}
    assert others == {"kind", "harmless", "polite", "useful"}


def test_the_constitution_of_a_contrast_is_restricted_as_well(run: Run) -> None:
    seen: dict[str, str] = {}

    def watching(request: Request) -> str | Completion:
        if request.stage == "sample" and request.messages[0].role == "system":
            seen[request.messages[-1].content] = request.messages[0].content
        return answer(request)

    list(run(engine=ScriptedEngine(answer=watching), loop={"pairs": ["contrast"], "rounds": 0}))
    for prompt, system in seen.items():
        assert "Be useful." in system
        assert ("Be harmless." in system) == prompt.startswith("Harmful")


def test_resume_and_a_raised_limit_ask_only_what_is_new(run: Run) -> None:
    first = ScriptedEngine(answer=answer)
    assert len(list(run(engine=first))) == 10
    again = ScriptedEngine(answer=answer)
    assert list(run(engine=again)) == []
    assert again.calls == 0
    more = run(engine=again, limit=20)
    assert len(list(more)) == 10
    assert more.progress.before == 10
    assert again.calls == first.calls
    # In the store, the prompts stand as they do in one run of the larger limit.
    whole = [p.messages[0].content for p in more.source.batches(99).__next__()]
    with RunStore.read(more.folder) as store:
        listed = [row.prompt_id for row in store.listing()]
    assert listed == [Prompt((Message("user", text),)).id for text in whole]


def test_another_share_is_another_ask(run: Run) -> None:
    before = len(list(run(limit=None)))
    more = {**HELP, "share": 0.5}
    with pytest.raises(ChangedRunError) as caught:
        list(run(more, limit=None))
    assert caught.value.keys == ("prompts", "prompts.mix")
    engine = ScriptedEngine(answer=answer)
    made = run(more, engine=engine, update=True, limit=None)
    list(made)
    # What was mixed in stays so: 2 samples, critique, revision, and two pairs in both orders.
    assert engine.calls == 8 * (made.source.total - before) > 0


def test_other_principles_are_another_ask(run: Run) -> None:
    list(run())
    with pytest.raises(ChangedRunError) as caught:
        list(run({**HELP, "principles": []}))
    assert "prompts.principles" in caught.value.keys
    engine = ScriptedEngine(answer=answer)
    rows = list(run({**HELP, "principles": []}, engine=engine, update=True))
    assert len(rows) == 10
    assert engine.by_stage["sample"] == 0


def test_new_tags_reach_the_store(run: Run) -> None:
    list(run())
    found = run({**HELP, "tags": ["useful", "easy"]}, update=True)
    assert {row.prompt.tags for row in found} == {(), ("useful", "easy")}
    with RunStore.read(found.folder) as store:
        record = store._reader.select("SELECT record FROM prompts")
        tags = {tuple(json.loads(line)["tags"]) for (line,) in record}
    assert tags == {(), ("useful", "easy")}


def test_a_principle_that_is_not_there_is_named(run: Run) -> None:
    with pytest.raises(ConfigError, match=r"has the tag 'helpfulnes'.*helpfulness"):
        run({**HELP, "principles": ["helpfulnes"]})


def test_the_plan_and_the_card_tell_of_the_mix(run: Run, files: Path) -> None:
    assert estimate(config(files, {**HELP, "principles": []}, limit=20)).prompts == 20
    made = run()
    list(made)
    folder = made.export().folder
    card = (folder / "README.md").read_text("utf-8")
    assert "| Prompts mixed in | help.txt: 13, a share of 0.3; tagged helpful; under " in card
    facts = json.loads((folder / "manifest.json").read_text("utf-8"))["prompts"]
    assert facts["path"] == "red.txt, help.txt"
    assert facts["mix"][0]["principles"] == ["helpfulness"]
    assert len(facts["mix"][0]["sha256"]) == 64


def test_nothing_that_is_still_asked_is_collected(run: Run) -> None:
    calls = Counter[str]()

    def dying(request: Request) -> str | Completion:
        calls["all"] += 1
        if calls["all"] > 45:
            raise FatalEngineError("The key was revoked.")
        return answer(request)

    loop = {"pairs": ["samples", "contrast"], "pairing": "best_worst", "samples": 3}
    with pytest.raises(FatalEngineError):
        list(run(engine=ScriptedEngine(answer=dying), loop=loop, runtime={"concurrency": 4}))
    told = CliRunner().invoke(app, ["gc", "--yes", run().config.run])
    assert told.exit_code == 0, told.output
    engine = ScriptedEngine(answer=answer)
    list(run(engine=engine, loop=loop))
    # 4 answers, a critique, a revision, and 3 pairs in both orders: the model answers alike with
    # and without the constitution.
    assert engine.calls + 45 == 10 * (4 + 2 + 6)


def test_shards_mix_as_one_process_does(run: Run, files: Path) -> None:
    whole = {row.prompt.id: row for row in run(run=str(files / "whole"))}
    for i in (1, 2):
        list(run(shard=Shard(i, 2)))
    merge(files / "run")
    with RunStore.read(files / "run") as store:
        rows = {row.prompt.id: row for row, _ in store.rows("train", "dev", "held_out")}
    assert rows == whole
