from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cai.hashing import canonical_json
from cai.judge import combine_orders, combine_principles
from cai.records import (
    Message,
    OrderVerdict,
    Pair,
    Prompt,
    Request,
    Response,
    Revision,
    Row,
    Sampling,
    load,
)

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
probabilities = st.floats(0.0, 1.0)


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    ab = OrderVerdict("ab", "answered", "r1", draw(probabilities), 0.9)
    ba = OrderVerdict("ba", "answered", "r2", draw(probabilities), 0.8)
    verdict = combine_principles([combine_orders((), ab, ba, 0.05)], 0.05)
    return Pair("p", "samples", draw(texts), draw(texts), "sample 0", "sample 1", verdict)


@given(pairs())
def test_swapping_twice_is_the_same_pair(pair: Pair) -> None:
    twice = pair.swap().swap()
    assert (twice.first, twice.second) == (pair.first, pair.second)
    assert twice.p == pytest.approx(pair.p)
    assert twice.verdict is not None and pair.verdict is not None
    assert twice.verdict.outcome == pair.verdict.outcome
    assert twice.verdict.principles[0].orders == pair.verdict.principles[0].orders


@given(pairs())
def test_both_orientations_agree(pair: Pair) -> None:
    assert pair.id == pair.swap().id
    oriented = pair.oriented()
    assert oriented.p is not None and oriented.p >= 0.5
    if pair.p != 0.5:
        assert oriented.first == pair.swap().oriented().first


@given(pairs())
def test_a_swapped_verdict_is_that_of_swapped_answers(pair: Pair) -> None:
    swapped = pair.swap()
    assert swapped.verdict is not None
    (verdict,) = swapped.verdict.principles
    ab, ba = verdict.orders
    assert (ab.order, ba.order) == ("ab", "ba")
    recombined = combine_orders((), ab, ba, 0.05)
    assert recombined.p == pytest.approx(verdict.p)
    assert recombined.outcome == verdict.outcome


@given(pairs(), texts)
def test_a_row_survives_its_json(pair: Pair, text: str) -> None:
    row = Row(
        prompt=Prompt((Message("user", text),), ("tag",), "file:1"),
        plan="plan",
        samples=(Response(text, text, "answered", "r"),),
        revisions=((Revision(1, "kind", "revised", text, raw=text),), ()),
        pairs=(pair, replace(pair, verdict=None, note="identical")),
    )
    assert load(Row, canonical_json(row)) == row


def test_prompt_ids_depend_on_messages_alone() -> None:
    one = Prompt((Message("user", "Hi"),), ("a",), "x:1")
    assert one.id == Prompt((Message("user", "Hi"),)).id
    assert one.id != Prompt((Message("user", "Hi!"),)).id
    assert one.id != Prompt((Message("system", "Hi"),)).id


def request(**changes: object) -> Request:
    base = Request((Message("user", "Hi"),), Sampling(10))
    return replace(base, **changes)  # type: ignore[arg-type]


def test_identity_ignores_what_changes_no_answer() -> None:
    assert request().identity("m") == request(shared=1, stage="judge").identity("m")


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": (Message("user", "Ho"),)},
        {"messages": (Message("assistant", "Hi"),)},
        {"sampling": Sampling(11)},
        {"sampling": Sampling(10, temperature=0.5)},
        {"sampling": Sampling(10, seed=1)},
        {"sampling": Sampling(10, stop=("x",))},
        {"sampling": Sampling(10, top_logprobs=5)},
        {"sample_index": 1},
        {"response_schema": {"type": "object"}},
    ],
)
def test_identity_notices_what_changes_answers(changes: dict[str, object]) -> None:
    assert request().identity("m") != request(**changes).identity("m")
    assert request().identity("m") != request().identity("n")


def test_identity_is_stable_across_versions() -> None:
    """A change here would make every stored run ask everything again."""
    assert request().identity("m")[:16] == "78a212c10417e496"
