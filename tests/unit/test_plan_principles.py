"""`cai plan` after an edit of the constitution, against counts by hand from the stored rows.

Whatever it says is then carried out, and counted at the engine.
"""

import shutil
from pathlib import Path

import pytest

from cai.constitution import load_constitution
from cai.loop.draw import draw_principles
from cai.loop.estimate import estimate
from tests.unit.replan_helpers import (
    IDS,
    WORDINGS,
    Workshop,
    both,
    by_hand,
    carried_out,
    effect,
    planned,
    principle,
)

NAME = "help.true"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Workshop(tmp_path_factory.mktemp("finished"))
    made.generate(made.settings())
    return made.run


@pytest.fixture
def workshop(tmp_path: Path, finished: Path) -> Workshop:
    """A finished run of its own for each test."""
    made = Workshop(tmp_path)
    shutil.copytree(finished, made.run)
    return made


@pytest.mark.parametrize(
    "fields", [WORDINGS, ("judge",), ("critique",), ("revise",), ("critique", "revise")], ids=str
)
def test_a_reworded_principle_asks_exactly_what_it_touches(
    workshop: Workshop, fields: tuple[str, ...]
) -> None:
    then = workshop.rows()
    edited = workshop.settings(workshop.edited(NAME, **{f: f"Reworded {f}." for f in fields}))
    found = estimate(edited)
    direct, follows = by_hand(then, then, NAME, fields)
    assert sum(direct.values()) >= 4
    change, predicted, predicted_to_follow = effect(found, NAME)
    assert (change.sign, change.kind) == ("~", "principle")
    assert change.text == f"principle {NAME} reworded ({', '.join(fields)})"
    assert (predicted, predicted_to_follow) == (direct, follows)
    assert planned(found) == carried_out(workshop, edited) == both(direct, follows)
    now = workshop.rows()
    assert [[r.principle_id for c in row.revisions for r in c] for row in now.values()] == [
        [r.principle_id for c in row.revisions for r in c] for row in then.values()
    ]
    # Rows that need no call come out as they were.
    assert found.changes
    same = sum(now[i].pairs == then[i].pairs and now[i].revisions == then[i].revisions for i in now)
    assert found.changes.rows.same == same == found.finished
    assert found.changes.rows.asking == len(then) - same


def test_rewording_moves_no_draw(workshop: Workshop) -> None:
    plain = load_constitution(workshop.edited())
    other = load_constitution(
        workshop.constitution(
            "other",
            *(principle(one, **{w: f"Quite another {w}." for w in WORDINGS}) for one in IDS),
        )
    )
    for i in range(200):
        for purpose in (1, 2, f"judge sample {i} | sample 0"):
            drawn = draw_principles(plain, i, f"{i:016x}", purpose, 3)
            again = draw_principles(other, i, f"{i:016x}", purpose, 3)
            assert [p.id for p in drawn] == [p.id for p in again]


@pytest.mark.parametrize(
    ("weight", "text"), [(8.0, "weight 1 → 8"), (0.05, "weight 1 → 0.05")], ids=["up", "down"]
)
def test_a_weight_moves_the_draws_that_it_wins_or_loses(
    workshop: Workshop, weight: float, text: str
) -> None:
    then = workshop.rows()
    edited = workshop.settings(workshop.edited(NAME, weight=weight))
    found = estimate(edited)
    asked = carried_out(workshop, edited)
    direct, follows = by_hand(then, workshop.rows())
    change, *predicted = effect(found, NAME)
    assert change.text == f"principle {NAME} {text}"
    assert predicted == [direct, follows]
    assert planned(found) == asked == both(direct, follows)


def test_an_added_principle_takes_its_draws(workshop: Workshop) -> None:
    then = workshop.rows()
    told = (principle(one) for one in (*IDS, "honest.sure"))
    edited = workshop.settings(workshop.constitution("more", *told))
    found = estimate(edited)
    asked = carried_out(workshop, edited)
    direct, follows = by_hand(then, workshop.rows())
    change, *predicted = effect(found, "honest.sure")
    assert (change.sign, change.text) == ("+", "principle honest.sure added")
    assert predicted == [direct, follows]
    assert planned(found) == asked == both(direct, follows)


def test_the_draws_of_a_removed_principle_fall_to_others(workshop: Workshop) -> None:
    then = workshop.rows()
    kept = (principle(one) for one in IDS if one != NAME)
    edited = workshop.settings(workshop.constitution("less", *kept))
    found = estimate(edited)
    asked = carried_out(workshop, edited)
    direct, follows = by_hand(then, workshop.rows())
    change, *predicted = effect(found, NAME)
    assert (change.sign, change.text) == ("-", f"principle {NAME} removed")
    assert predicted == [direct, follows]
    assert planned(found) == asked == both(direct, follows)


def test_several_changes_share_the_calls(workshop: Workshop) -> None:
    then = workshop.rows()
    told = [principle(one) for one in IDS if one != "harm.calm"]
    told[1] = principle(NAME, judge="Which answer is truer?")
    told[2] = principle(IDS[2], weight=5)
    edited = workshop.settings(workshop.constitution("mixed", *told, principle("new.one")))
    found = estimate(edited)
    assert found.changes
    names = {e.change.name: e for e in found.changes.effects}
    assert [*names] == [IDS[2], NAME, "new.one", "harm.calm"]
    assert all(e.direct for e in names.values())
    # Only the judge sees the wording that has changed.
    assert set(names[NAME].direct) == {"judge"} and not names[NAME].follows
    asked = carried_out(workshop, edited)
    assert planned(found) == asked == both(*by_hand(then, workshop.rows(), NAME, ("judge",)))


@pytest.mark.parametrize("what", ["note", "summary", "changelog", "version", "order"])
def test_what_no_model_sees_leaves_all_rows_valid(workshop: Workshop, what: str) -> None:
    told = [principle(one, **({"note": "Read this."} if what == "note" else {})) for one in IDS]
    more = {
        "summary": {"summary": "Rules that say more."},
        "changelog": {"changelog": [{"version": "1.0.0", "changes": ["It began."]}]},
        "version": {"version": "1.0.1"},
    }
    edited = workshop.settings(
        workshop.constitution(
            "words", *(told[::-1] if what == "order" else told), **more.get(what, {})
        )
    )
    found = estimate(edited)
    assert (found.changed, found.changes) == ((), None)
    assert found.finished == found.prompts == 36
    assert not found.calls.high
    assert carried_out(workshop, edited) == {}


def test_the_whole_constitution_is_asked_about_anew(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path, prompts=6)
    whole = {"judge": {"scope": "constitution"}}
    workshop.generate(workshop.settings(**whole))
    edited = workshop.settings(workshop.edited(NAME, text="Say what is true."), **whole)
    found = estimate(edited)
    pairs = sum(len(row.pairs) for row in workshop.rows().values())
    assert effect(found, NAME)[1:] == ({"judge": 2 * pairs}, {})
    assert carried_out(workshop, edited) == planned(found) == {"judge": 2 * pairs}
    # A weight decides the order in which principles are shown.
    heavier = workshop.settings(workshop.edited(NAME, text="Say what is true.", weight=9), **whole)
    _, direct, follows = effect(estimate(heavier), NAME)
    assert direct["judge"] + follows["judge"] == 2 * pairs
