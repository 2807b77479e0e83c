"""What the judge of a win rate is tried on where nobody names labelled pairs."""

from pathlib import Path

from cai.constitution import load_constitution
from cai.constitution.case_files import load_cases
from cai.evaluate.winrate.checks import case_pairs, known_pairs, people_pairs
from cai.store import RunStore
from cai.validation.records import Choice, Item
from tests.unit.validation_helpers import draw, judged, label_all, winner, write_run

REF = "harmless-helpful"


def labelled_run(folder: Path, rows: int) -> Path:
    """A run whose pairs Ann has labelled against the judge, but for one tie."""

    def choose(_: int, item: Item) -> Choice:
        if "Question 0?" in item.prompt.messages[-1].content:
            return "tie"
        return "second" if winner(item) == "first" else "first"

    write_run(folder, [judged(i, 0.9) for i in range(rows)])
    with RunStore.open(folder, durable=False) as store:
        draw(store)
        label_all(store, ["Ann"], choose)
    return folder


def test_pairs_that_people_labelled_come_first(tmp_path: Path) -> None:
    constitution = load_constitution(REF)
    run = labelled_run(tmp_path / "labelled", 8)
    found = known_pairs(constitution, REF, run)
    assert found is not None
    assert found.name == "pairs labelled by people in labelled"
    # The judge liked drafts, and Ann revisions; ties are no label.
    assert len(found.comparisons) == 7
    assert all(one.chosen.startswith("Better") for one in found.comparisons)
    assert all(one.rejected.startswith("Draft") for one in found.comparisons)
    assert all(one.label == "first" for one in found.comparisons)
    few = known_pairs(constitution, REF, run, 3)
    assert few is not None and len(few.comparisons) == 3
    assert known_pairs(constitution, REF, run, 0) is None


def test_without_enough_of_them_it_is_test_cases(tmp_path: Path) -> None:
    constitution = load_constitution(REF)
    run = labelled_run(tmp_path / "few", 5)
    assert people_pairs(run) is None
    assert people_pairs(write_run(tmp_path / "nobody", [judged(1, 0.9)])) is None
    for given in (run, None, tmp_path / "no-run"):
        found = known_pairs(constitution, REF, given)
        assert found is not None and found.name == f"test cases of {constitution.label}"
        cases = [one.case for one in load_cases(constitution, REF) if one.case.better]
        assert [one.chosen for one in found.comparisons] == [case.better for case in cases]
    some = case_pairs(constitution, REF, 4)
    assert some is not None and len(some.comparisons) == 4
    # A run from elsewhere, whose constitution is not here.
    assert case_pairs(constitution, "no-such-constitution") is None
