"""`cai plan` after a change of templates, settings, models or prompts, and what is then asked."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from cai.content import content_dir
from cai.errors import BudgetError
from cai.loop.estimate import estimate
from cai.loop.figures import Range
from cai.loop.replan import clean_shares
from cai.records import Completion, Request
from cai.store import RunStore
from cai.store.statistics import Rate
from tests.unit.replan_helpers import (
    Counts,
    Workshop,
    both,
    by_hand,
    carried_out,
    distinct,
    effect,
    planned,
)

PROMPTS = 12


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Workshop(tmp_path_factory.mktemp("finished"), PROMPTS)
    made.generate(made.settings())
    return made.run


@pytest.fixture
def workshop(tmp_path: Path, finished: Path) -> Workshop:
    """A finished run: of each prompt 2 samples, each revised twice, and 3 pairs by 8 - 4 calls."""
    made = Workshop(tmp_path, PROMPTS)
    shutil.copytree(finished, made.run)
    return made


def each(**calls: int) -> Counts:
    """So many of each prompt."""
    return {stage: PROMPTS * count for stage, count in calls.items() if count}


@pytest.mark.parametrize(
    ("sections", "name", "direct", "follows"),
    [
        (
            {"templates": {"critique": "compact"}},
            "critique",
            each(critique=2),
            each(critique=2, revise=4, judge=8),
        ),
        (
            {"templates": {"revise": "compact"}},
            "revise",
            each(revise=2),
            each(critique=2, revise=2, judge=8),
        ),
        ({"templates": {"judge": "compact"}}, "judge", each(judge=12), {}),
        (
            {"templates": {"sample": "brief"}},
            "sample",
            each(sample=2),
            each(critique=4, revise=4, judge=12),
        ),
        (
            {"loop": {"rounds": 3}},
            "loop.rounds",
            each(critique=2),
            each(revise=2, judge=8),
        ),
        (
            # The two samples from before make one pair more with each new one.
            {"loop": {"samples": 3, "revise": "all"}},
            "loop.samples",
            each(sample=1),
            each(critique=2, revise=2, judge=4 + 8),
        ),
        ({"judge": {"scope": "each"}}, "judge.scope", each(judge=3 * 2 * 14), {}),
        ({"judge": {"principles": 3}}, "judge.principles", each(judge=3 * 2), {}),
        ({"judge": {"top_logprobs": 5}}, "judge.top_logprobs", each(judge=12), {}),
        ({"judge": {"few_shot": False}}, "judge.few_shot", each(judge=12), {}),
        ({"judge": {"preamble": True}}, "judge.preamble", each(judge=12), {}),
        ({"judge": {"mode": "score"}}, "judge.mode", None, {}),
        ({"judge": {"mode": "reasoning"}}, "judge.mode", each(reason=12), each(judge=12)),
        (
            {"loop": {"critique": {"max_tokens": 99}}},
            "loop.critique.max_tokens",
            each(critique=2),
            each(critique=2, revise=4, judge=8),
        ),
        (
            {"models": {"policy": {"engine": "scripted", "logprobs": "never"}}},
            "models.judge.logprobs",
            each(judge=12 * 5),
            {},
        ),
        (
            {"loop": {"pairs": ["revision", "samples", "contrast"]}},
            "loop.pairs",
            each(sample=1),
            each(judge=4),
        ),
        ({"judge": {"tie_band": 0.3}}, "judge.tie_band", {}, {}),
        ({"judge": {"orders": "first"}}, "judge.orders", {}, {}),
        # The first revisions are there; the pairs that show them were never judged.
        ({"loop": {"rounds": 1}}, "loop.rounds", each(judge=8), {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_change_asks_exactly_what_it_touches(
    workshop: Workshop, sections: dict[str, Any], name: str, direct: Any, follows: Any
) -> None:
    changed = workshop.settings(**sections)
    found = estimate(changed)
    change, *predicted = effect(found, name)
    assert change.sign == "~"
    asked = carried_out(workshop, changed)
    assert planned(found) == asked == both(*predicted)
    if direct is None:
        # How many scores there are depends on which principles several pairs have in common.
        direct = {"score": asked["score"]}
        assert 2 * 3 * PROMPTS < direct["score"] <= 2 * 2 * 3 * PROMPTS
    assert predicted == [direct, follows]


def test_a_panel_and_another_judge(workshop: Workshop) -> None:
    judge = {"engine": "scripted", "model": "another"}
    policy = {"engine": "scripted"}
    found = estimate(workshop.settings(models={"policy": policy, "judge": judge}))
    change, *calls = effect(found, "judge")
    assert change.kind == "model"
    assert change.text == "judge model changed (model smollm2-135m-instruct → another)"
    assert calls == [each(judge=12), {}]
    panel = workshop.settings(
        models={"policy": policy, "judges": [{"engine": "scripted", "model": m} for m in "xy"]}
    )
    found = estimate(panel)
    for role in ("judges.0", "judges.1"):
        change, *calls = effect(found, role)
        assert change.sign == "+"
        assert calls == [each(judge=12), {}]
    assert effect(found, "judge")[0].sign == "-"
    asked = workshop.generate(panel)
    assert dict(asked.by_stage) == planned(found) == each(judge=24)


def test_a_judge_that_is_paid_and_may_keep_its_logprobs(workshop: Workshop) -> None:
    judge = {"engine": "openai", "model": "m", "base_url": "https://api.example.com/v1"}
    found = estimate(
        workshop.settings(
            models={"policy": {"engine": "scripted"}, "judge": judge},
            prices={"m": {"input": 1.0, "output": 4.0}},
        )
    )
    (stage,) = found.stages
    assert stage.calls.low == stage.calls.likely == 12 * PROMPTS
    # The first probes come back empty; after that, five samples for each question.
    assert 5 * 12 * PROMPTS < stage.calls.high <= 5 * 12 * PROMPTS + 12
    assert stage.paid and stage.usd and 0 < stage.usd.likely < stage.usd.high
    read, written = stage.prompt_tokens.likely, stage.completion_tokens.likely
    assert stage.usd.likely == pytest.approx((read * 1.0 + written * 4.0) / 1e6, rel=1e-2)
    assert effect(found, "judge")[0].text.startswith("judge model changed (engine scripted → open")


def test_votes_of_a_judge_without_logprobs_stay_valid(tmp_path: Path) -> None:
    def silent(request: Request) -> str | Completion:
        return "A" if request.stage == "judge" else distinct(request)

    workshop = Workshop(tmp_path, prompts=6, answer=silent)
    settings = workshop.settings(judge={"votes": 3})
    workshop.generate(settings)
    reworded = workshop.settings(
        workshop.edited("help.true", judge="Which is truer?"), judge={"votes": 3}
    )
    found = estimate(reworded)
    direct, follows = by_hand(workshop.rows(), workshop.rows(), "help.true", ("judge",))
    assert follows == {} and direct["judge"] % 3 == 0
    asked = workshop.generate(reworded).by_stage["judge"]
    # Whoever starts anew asks a few questions for log-probabilities, in vain.
    assert direct["judge"] <= asked <= direct["judge"] + 32
    assert direct["judge"] <= sum(planned(found).values()) <= direct["judge"] + 3


def test_another_policy_changes_everything_after_it(workshop: Workshop) -> None:
    kept = {"engine": "scripted"}
    other = workshop.settings(models={"policy": {**kept, "model": "trained"}, "critic": kept})
    found = estimate(other)
    change, *calls = effect(found, "policy")
    assert change.kind == "model"
    assert calls == [each(sample=2), each(critique=4, revise=4, judge=12)]
    # The critic's section is written out now, and the model is the same.
    assert found.changes and [e.change.name for e in found.changes.effects] == ["policy"]
    assert found.finished == 0


def test_going_back_costs_nothing(workshop: Workshop) -> None:
    settings = workshop.settings()
    reworded = workshop.settings(workshop.edited("help.true", judge="Truer?", critique="Where?"))
    asked = planned(estimate(reworded))
    assert carried_out(workshop, reworded) == asked != {}
    found = estimate(settings)
    assert found.changes and found.changes.rows.same + found.changes.rows.altered == PROMPTS
    assert planned(found) == carried_out(workshop, settings) == {}


def test_new_prompts_and_prompts_that_are_gone(workshop: Workshop) -> None:
    workshop.write_prompts([*range(2, PROMPTS), 50, 51, 50, 52])
    settings = workshop.settings()
    found = estimate(settings)
    assert found.changes
    rows = found.changes.rows
    assert (rows.kept, rows.new, rows.gone, rows.asking) == (PROMPTS - 2, 3, 2, 3)
    assert found.finished == PROMPTS - 2
    change, *calls = effect(found, "new")
    assert (change.sign, change.kind) == ("+", "prompts")
    assert calls == [{"sample": 6}, {"critique": 12, "revise": 12, "judge": 36}]
    assert carried_out(workshop, settings) == planned(found) == both(*calls)


def test_prompts_in_another_order_ask_nothing(workshop: Workshop) -> None:
    workshop.write_prompts(range(PROMPTS)[::-1])
    settings = workshop.settings()
    found = estimate(settings)
    assert found.changes and found.changes.rows.kept == PROMPTS
    assert effect(found, "tags")[1:] == ({}, {})
    assert carried_out(workshop, settings) == planned(found) == {}


def test_codes_in_delimiters_come_from_the_stored_secret(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, prompts=4)
    nonce = {"judge": {"quoting": "nonce"}}
    workshop.generate(workshop.settings(**nonce))
    heavier = workshop.settings(workshop.edited("help.true", weight=1.0001), **nonce)
    found = estimate(heavier)
    assert found.changes and found.changes.rows.same == 4
    assert carried_out(workshop, heavier) == planned(found) == {}


def test_an_update_that_was_interrupted_is_planned_to_its_end(workshop: Workshop) -> None:
    wording = {"critique": "Where does it say too little?"}
    edited = {"constitution": workshop.constitution("all", *_all(**wording))}
    whole = planned(estimate(workshop.settings(**edited)))
    with RunStore.read(workshop.run) as store:
        spent = store.spent().tokens
    with pytest.raises(BudgetError):
        workshop.generate(
            workshop.settings(
                **edited, runtime={"budget_tokens": spent + 6000, "prompts_in_work": 2}
            )
        )
    settings = workshop.settings(**edited)
    found = estimate(settings)
    assert found.changed == () and found.changes
    assert 0 < found.changes.rows.kept < PROMPTS
    assert effect(found, "unfinished")[0].sign == "~"
    left = planned(found)
    assert 0 < left["judge"] < whole["judge"]
    assert carried_out(workshop, settings) == left


def _all(**changes: Any) -> list[dict[str, Any]]:
    from tests.unit.replan_helpers import IDS, principle

    return [principle(one, **changes) for one in IDS]


def test_answers_that_were_deleted_are_asked_again(workshop: Workshop) -> None:
    reworded = workshop.settings(workshop.edited("help.true", weight=1.0001))
    with RunStore.open(workshop.run) as store:
        store.transact(lambda c: c.execute("DELETE FROM calls WHERE stage = 'critique'"))
    found = estimate(reworded)
    direct = {"critique": 2 * PROMPTS}
    change, *calls = effect(found, "unknown")
    assert change.text == "answers that are not stored"
    # What stands behind a missing answer cannot be looked up.
    assert calls[0] == direct
    # The model gives the same answers again, and what follows is in memory.
    assert dict(workshop.generate(reworded).by_stage) == {"critique": 4 * PROMPTS}


def clean(request: Request) -> str | Completion:
    """Half of the critiques find nothing."""
    text = distinct(request)
    if request.stage == "critique" and int(str(text)[-2:-1], 16) % 2:
        return "No issues."
    return text


def test_critiques_that_may_find_nothing_make_a_range(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, prompts=30, answer=clean)
    skipping = {"loop": {"skip_when_clean": True}}
    workshop.generate(workshop.settings(**skipping))
    edited = workshop.settings(
        workshop.constitution("all", *_all(critique="Where does it fall short?")), **skipping
    )
    found = {stage.stage: stage.calls for stage in estimate(edited).stages}
    asked = workshop.generate(edited).by_stage
    # Of the first round it is certain.
    assert found["critique"] == Range(*[asked["critique"]] * 3) == Range(120, 120, 120)
    for stage in ("revise", "judge"):
        assert found[stage].low <= asked[stage] <= found[stage].high
        assert found[stage].low < found[stage].likely < found[stage].high
        # As many find nothing as before: about half.
        assert found[stage].likely == pytest.approx(asked[stage], rel=0.25)


@pytest.mark.parametrize(("count", "n"), [(0, 25), (2, 20), (9, 30), (30, 30)])
def test_the_low_value_takes_the_upper_end_of_wilsons_interval(count: int, n: int) -> None:
    from statsmodels.stats.proportion import proportion_confint

    low, likely, high = clean_shares(Rate(count, n))
    _, upper = proportion_confint(count, n, method="wilson")
    assert low == pytest.approx(upper, rel=1e-6)
    assert (likely, high) == (count / n, 0.0)
    # More critiques do not make it surer than those that are asked anew can be.
    assert clean_shares(Rate(20, 200))[0] == pytest.approx(clean_shares(Rate(3, 30))[0])
    assert clean_shares(Rate(1, 19)) == clean_shares(Rate(0, 0)) == (1.0, 0.2, 0.0)


def test_an_answer_that_comes_out_as_before_ends_what_follows(tmp_path: Path) -> None:
    def stubborn(request: Request) -> str | Completion:
        return "It could say more." if request.stage == "critique" else distinct(request)

    workshop = Workshop(tmp_path, prompts=8, answer=stubborn)
    workshop.generate(workshop.settings())
    edited = workshop.settings(workshop.constitution("all", *_all(critique="Where?")))
    found = planned(estimate(edited))
    assert {"critique", "revise", "judge"} == set(found)
    # The revisions are asked for with the same critiques, so they are in memory.
    assert workshop.generate(edited).by_stage == {"critique": 32}
    assert found["critique"] == 32


def test_a_part_of_many_prompts_stands_for_all(workshop: Workshop) -> None:
    changed = workshop.settings(loop={"rounds": 3})
    whole, part = estimate(changed), estimate(changed, most=4)
    assert whole.changes and part.changes
    assert (part.changes.walked, part.changes.walkable) == (4, PROMPTS)
    assert part.changes.margin == 1.0  # 2 / √4
    for one, other in zip(whole.stages, part.stages, strict=True):
        assert one.stage == other.stage
        # Of each prompt the same is asked.
        assert other.calls.likely == one.calls.likely
        assert other.calls.low < one.calls.low and other.calls.high > one.calls.high
    assert part.finished == whole.finished == 0


def test_rows_that_no_principle_applies_to_cannot_be_made(workshop: Workshop) -> None:
    edited = workshop.settings(
        workshop.constitution("narrow", *_all(applies_to={"any": ["of-some-kind"]}))
    )
    found = estimate(edited)
    assert found.changes and found.changes.rows.failing == PROMPTS
    assert found.changes.rows.asking == 0


def test_tokens_are_those_of_the_stored_answers(workshop: Workshop) -> None:
    reworded = workshop.settings(workshop.edited("help.true", critique="Is it true as it is?"))
    stage = next(stage for stage in estimate(reworded).stages if stage.stage == "critique")
    with RunStore.read(workshop.run) as store:
        (totals,) = (t for t in store.totals() if t.stage == "critique")
    calls = stage.calls.likely
    assert stage.prompt_tokens.likely == pytest.approx(
        calls * totals.prompt_tokens / totals.calls, rel=0.05
    )
    mean = totals.completion_tokens / totals.calls
    assert stage.completion_tokens.likely == pytest.approx(calls * mean)
    assert stage.completion_tokens.low < stage.completion_tokens.high
    assert stage.answered > 0


def test_what_the_judge_is_shown_of_the_constitution(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, prompts=4)
    shown = {"judge": {"preamble": True}}
    workshop.generate(workshop.settings(**shown))
    calls = sum(2 * 2 for row in workshop.rows().values() for _ in row.pairs)
    for name, words in (
        ("summary", {"summary": "Other rules."}),
        ("preamble", {"preamble": "Be."}),
    ):
        edited = workshop.settings(workshop.constitution(name, *_all(), **words), **shown)
        found = estimate(edited)
        change, *asked = effect(found, "judge")
        assert change.text == "preamble of the constitution changed, which judge.preamble shows"
        assert asked == [{"judge": calls}, {}]
        assert found.changes and len(found.changes.effects) == 1
    assert carried_out(workshop, edited) == {"judge": calls}


def test_another_template_where_the_old_one_had_a_preamble(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, prompts=2)
    workshop.generate(workshop.settings(judge={"preamble": True}))
    own = tmp_path / "templates"
    shutil.copytree(content_dir("prompts"), own)
    (own / "judge" / "default.jinja").write_text(
        "---\nversion: 1.0.0\nstage: judge\n"
        "inputs: [conversation, answer_a, answer_b, principles]\n"
        "output: label\nlabels: [A, B]\n---\n<<user>>\n{{ conversation }}\n<answer_a>{{ answer_a }}"
        "</answer_a>\n<answer_b>{{ answer_b }}</answer_b>\n{{ principles[0].judge }}\n",
        encoding="utf-8",
    )
    changed = workshop.settings(templates={"folder": str(own)})
    found = estimate(changed)
    assert found.changes
    assert [e.change.text for e in found.changes.effects] == [
        "judge.preamble true → default",
        "template judge changed",
    ]
    assert planned(found) == carried_out(workshop, changed) == {"judge": 24}


def test_another_aggregate_changes_rows_without_a_call(workshop: Workshop) -> None:
    found = estimate(workshop.settings(workshop.constitution("worst", *_all(), aggregate="worst")))
    change, *asked = effect(found, "aggregate")
    assert (change.kind, asked) == ("constitution", [{}, {}])
    assert found.changes and found.changes.rows.altered > 0
    assert found.finished == PROMPTS and not found.calls.high


def test_another_seed_asks_everything_anew(workshop: Workshop) -> None:
    found = estimate(workshop.settings(loop={"seed": 5}))
    assert effect(found, "loop.seed")[1:] == (
        each(sample=2),
        each(critique=4, revise=4, judge=12),
    )
