"""Judges before labelled pairs: how often they are right, and whether that is above chance."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from cai.engines import Engines, ScriptedEngine
from cai.evaluate.evaluator import as_pair, check_on_pairs
from cai.evaluate.results import Evaluator, Figure, Result
from cai.hashing import unit_interval
from cai.records import Completion, Message, Prompt, Request
from cai.validation.exchange import Comparison, Vote, read_comparisons
from tests.unit.judge_helpers import REFUSED
from tests.unit.winrate_helpers import answers_in, fair, session


def labelled(count: int, votes: tuple[Vote, ...] = (Vote(),)) -> list[Comparison]:
    asked = [Prompt((Message("user", f"Is thing {i} of use?"),)) for i in range(count)]
    return [Comparison(p, f"merit 3 of {p.id}", f"merit 1 of {p.id}", votes) for p in asked]


def checked(
    folder: Path, judge: ScriptedEngine, comparisons: Sequence[Comparison], **config: str
) -> Evaluator:
    async def carry_out() -> Evaluator:
        async with opened.judges(engines=Engines(judge, judge, judge)) as judges:
            return await check_on_pairs(judges, comparisons, name="pairs.jsonl", draws=300)

    with session(folder, **config) as opened:
        return asyncio.run(carry_out())


def test_a_good_judge_is_trusted(tmp_path: Path) -> None:
    judge = ScriptedEngine(fair(2.0, slot=3.0), name="judge")
    found = checked(tmp_path, judge, labelled(30), orders="first")
    # Both orders: the slot alone would decide every pair otherwise.
    assert judge.calls == 60
    assert (found.fingerprint, found.checked_on) == ("scripted/judge", "pairs.jsonl")
    assert (found.accuracy, found.n, found.unjudged) == (1.0, 30, 0)
    assert found.low is not None and found.low > 0.8 and not found.distrust
    assert checked(tmp_path, judge, labelled(30)) == found and judge.calls == 60


def test_a_judge_at_chance_is_not(tmp_path: Path) -> None:
    def guess(request: Request) -> Completion:
        first, second = answers_in(request)
        merits = [unit_interval("luck", text) for text in (first, second)]
        return ScriptedEngine.label(0.9 if merits[0] > merits[1] else 0.1)

    found = checked(tmp_path, ScriptedEngine(guess, name="judge"), labelled(60))
    assert found.accuracy is not None and 0.3 < found.accuracy < 0.7
    assert found.low is not None and found.low < 0.5 and "guessing reaches 50%" in found.distrust
    taken = Result("winrate", ("a",), (Figure("win rate", "a", 0.7, 0.6, 0.8, 9),), (found,))
    (gone,) = taken.distrusted().figures
    assert gone.value is None and gone.unmeasured == found.distrust


def test_an_undecided_judge_is_half_right(tmp_path: Path) -> None:
    found = checked(tmp_path, ScriptedEngine(fair(0.0), name="judge"), labelled(10))
    assert (found.accuracy, found.n) == (0.5, 10) and found.distrust


def test_ties_and_what_has_no_verdict_do_not_count(tmp_path: Path) -> None:
    plain = fair(2.0)

    def judge(request: Request) -> str | Completion:
        return REFUSED if "thing 4 " in request.messages[-1].content else plain(request)

    tied = labelled(3, (Vote("tie"),))
    found = checked(tmp_path, ScriptedEngine(judge, name="judge"), [*tied, *labelled(8)[3:]])
    assert (found.accuracy, found.n, found.unjudged) == (1.0, 4, 1)
    silent = checked(tmp_path, ScriptedEngine(lambda _: REFUSED, name="mute"), labelled(5))
    assert (silent.accuracy, silent.low, silent.n, silent.unjudged) == (None, None, 0, 5)
    assert silent.distrust
    assert checked(tmp_path, ScriptedEngine(judge, name="judge"), tied).n == 0


def test_repeats_of_a_prompt_are_one_cluster(tmp_path: Path) -> None:
    """Thirty copies of one question, in two wordings, are no thirty trials."""
    words = "how does one best clean a large old wooden table that has been outside all winter"
    asked = [Prompt((Message("user", f"{words} {i % 2} {'!' * i}"),)) for i in range(30)]
    found = checked(
        tmp_path,
        ScriptedEngine(fair(2.0), name="judge"),
        [Comparison(p, "merit 3", "merit 1") for p in asked],
    )
    assert (found.accuracy, found.n) == (1.0, 30)
    assert found.low is None and found.distrust


def test_any_format_of_the_bench_will_do(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(
        '{"input": "Q?", "output_1": "merit 1", "output_2": "merit 2", "label": 2}\n'
        '{"input": "R?", "output_1": "merit 5", "output_2": "merit 2", "label": 1}\n'
    )
    given = read_comparisons(file, "human").comparisons
    found = checked(tmp_path / "s", ScriptedEngine(fair(2.0), name="judge"), given)
    assert (found.accuracy, found.n) == (1.0, 2)


def test_places_do_not_tell_who_was_chosen() -> None:
    pairs = [as_pair(one.prompt, *one.answers) for one in labelled(200)]
    firsts = sum(pair.first.startswith("merit 3") for pair in pairs)
    assert 70 < firsts < 130
    assert {(pair.first_name, pair.second_name) for pair in pairs} == {("one", "other")}


@pytest.mark.parametrize("low", [0.5, 0.51])
def test_above_chance_is_a_matter_of_the_lower_end(low: float) -> None:
    assert bool(Evaluator("j", "x", 0.7, low, 0.9, 30).distrust) == (low <= 0.5)
    assert not Evaluator("j", "", None).distrust
