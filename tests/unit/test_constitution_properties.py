"""Laws that hold for all constitutions, changes, versions and selectors."""

from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from semver import Version

from cai.constitution import Principle
from cai.constitution.compose import Part, merge
from cai.constitution.diff import apply, diff, facts, needed_bump, word_diff
from cai.constitution.principle import Selector
from cai.constitution.ranges import highest, parse_range
from cai.constitution.release.bump import (
    first_version,
    next_version,
    required,
    step_between,
)
from cai.errors import ConfigError
from tests.unit.constitution_helpers import build, constitutions, principles

parsed = Version.parse
# Whole constitutions take long to draw.
fewer = settings(max_examples=50)
STEPS = (None, "patch", "minor", "major")
numbers = st.integers(0, 30)
versions = st.builds(lambda *parts: "{}.{}.{}".format(*parts), numbers, numbers, numbers)
some_tags = st.lists(st.sampled_from(("x", "y", "x.y", "z", "")), max_size=4)
some_patterns = st.lists(st.sampled_from(("x", "y", "x.*", "*", "?", "[xy]", "q")), max_size=3)
selectors = st.builds(Selector, any=some_patterns, all=some_patterns, none=some_patterns)

# Principles of three ids in two meanings each: a merge succeeds, repeats or fails often.
few = st.builds(
    lambda one, text: Principle(id=one, text=text),
    st.sampled_from(("a.a", "b.b", "c.c")),
    st.sampled_from(("one", "another")),
)
parts = st.builds(
    Part.of, st.lists(few, max_size=3, unique_by=lambda p: p.id), st.sampled_from("pqr")
)


def merged(*given_parts):
    """What a merge makes of parts; None where it refuses."""
    try:
        whole = merge(given_parts, "here")
    except ConfigError:
        return None
    return dict(whole.principles), dict(whole.origins)


def merged_twice(first, others):
    try:
        return merged(merge(first, "here"), *others)
    except ConfigError:
        return None


@given(parts, parts, parts)
def test_merge_is_associative(one, two, three):
    flat = merged(one, two, three)
    assert merged_twice((one, two), (three,)) == flat
    try:
        later = merge((two, three), "here")
    except ConfigError:
        assert flat is None
    else:
        assert merged(one, later) == flat


@given(parts, parts)
def test_merge_is_idempotent_and_its_order_matters_to_origins_alone(one, two):
    assert merged(one) == merged(one, one) == (dict(one.principles), dict(one.origins))
    assert merged(Part({}, {}), one) == merged(one, Part({}, {})) == merged(one)
    there, back = merged(one, two), merged(two, one)
    assert (there is None) == (back is None)
    assert there is None or back is None or there[0] == back[0]


@fewer
@given(constitutions())
def test_a_constitution_does_not_differ_from_itself(one):
    change = diff(one, one)
    assert change.identical
    assert change.empty
    assert change.same_meaning
    assert (facts(change), needed_bump(change)) == ((), None)
    assert apply(one, change) == one


@fewer
@given(constitutions(), constitutions())
def test_applying_a_diff_gives_the_other_constitution(one, other):
    change = diff(one, other)
    made = apply(one, change)
    assert made == other
    assert made.hash == other.hash
    assert apply(made, diff(other, one)) == one


@fewer
@given(constitutions(), constitutions())
def test_there_is_a_fact_exactly_when_something_differs(one, other):
    change = diff(one, other)
    assert bool(facts(change)) == (not change.empty)
    assert change.same_meaning or not change.empty
    assert all("\n" not in fact.sentence for fact in facts(change))


@fewer
@given(constitutions(), constitutions())
def test_what_only_adds_is_never_major(one, other):
    kept = {p.id for p in one.principles}
    added = [p for p in other.principles if p.id not in kept]
    whole = sorted([*one.principles, *added], key=lambda p: p.id)
    change = diff(one, one.model_copy(update={"principles": tuple(whole)}))
    assert needed_bump(change) == ("minor" if added else None)


@fewer
@given(
    *(st.lists(principles, max_size=2, unique_by=lambda p: p["id"]) for _ in range(4)),
    st.sampled_from(("0.3.1", "1.2.3")),
)
def test_more_changes_never_need_a_smaller_bump(one, changed, more, more_changed, base):
    # The second pair lives under ids and words of its own, so its changes come on top.
    def apart(entries):
        return [{**p, "id": f"m.{p['id']}", "text": f"m {p['text']}"} for p in entries]

    fixed = {"id": "z.z", "text": "stays"}
    before, after = build(fixed, *one), build(fixed, *changed)
    alone = diff(before, after)
    extra = diff(build(fixed, *apart(more)), build(fixed, *apart(more_changed)))
    both = diff(build(fixed, *one, *apart(more)), build(fixed, *changed, *apart(more_changed)))
    needs = [STEPS.index(required(base, facts(change))) for change in (alone, extra, both)]
    assert needs[2] == max(needs[:2])


@given(versions)
def test_a_bigger_bump_gives_a_higher_version_and_can_be_read_back(base):
    raised = [base, *(next_version(base, step) for step in STEPS[1:])]
    assert all(parsed(low) < parsed(high) for low, high in pairwise(raised))
    assert [step_between(base, version) for version in raised[1:]] == list(STEPS[1:])
    first = first_version(base)
    assert first == (base if parsed(base) >= parsed("0.1.0") else "1.0.0")


@given(versions)
def test_carets_admit_what_breaks_nothing(base):
    """A bump that `required` calls enough for breaking changes leaves every caret on the base."""
    caret = parse_range(f"^{base}")
    assert caret.admits(base)
    major = parsed(base).major
    breaking = "major" if major else "minor"
    assert not caret.admits(next_version(base, breaking))
    if major:
        assert caret.admits(next_version(base, "minor"))
    assert parse_range(f"~{base}").admits(next_version(base, "patch"))


@given(st.lists(versions, min_size=1), versions, st.sampled_from(("^", "~")))
def test_the_highest_of_a_range_lies_in_it_and_above_all_others_that_do(known, base, sign):
    wanted = parse_range(sign + base)
    fits = [v for v in known if wanted.admits(v)]
    found = highest(fits)
    assert (found is None) == (not fits)
    assert all(parsed(found) >= parsed(v) for v in fits)
    assert all(parsed(v) >= parsed(base) for v in fits)


@given(selectors, some_tags, st.sampled_from(("x", "x.*", "*", "q")))
def test_one_more_pattern_widens_any_and_narrows_all_and_none(selector, tags, pattern):
    def with_more(key):
        return selector.model_copy(update={key: (*getattr(selector, key), pattern)})

    chosen = selector.matches(tags)
    # An empty `any` leaves nothing out; its first pattern is the one that narrows.
    if selector.any:
        assert with_more("any").matches(tags) or not chosen
    assert chosen or not with_more("all").matches(tags)
    assert chosen or not with_more("none").matches(tags)


@given(some_patterns, some_tags)
def test_a_list_is_short_for_any(patterns, tags):
    assert Selector.model_validate(patterns) == Selector(any=tuple(patterns))
    assert Selector.model_validate(patterns).matches(tags) == Selector(any=patterns).matches(tags)
    assume(len(patterns) == 1)
    assert Selector.model_validate(patterns[0]) == Selector(any=tuple(patterns))


@given(selectors, some_tags)
def test_a_selector_does_not_care_for_order_or_repeats(selector, tags):
    again = Selector(**{k: (*reversed(v), *v) for k, v in selector.model_dump().items()})
    assert selector.matches(tags) == again.matches([*reversed(tags), *tags])
    assert selector.everything == again.everything
    assert selector.matches(tags) or not selector.everything


texts = st.text(st.sampled_from("ab ,.\néß中"), max_size=40)


@given(texts, texts)
def test_a_word_diff_reads_both_ways(before, after):
    runs = word_diff(before, after)
    assert "".join(run.text for run in runs if run.kind != "added") == before
    assert "".join(run.text for run in runs if run.kind != "removed") == after
    assert all(run.text for run in runs)
    assert all(one.kind != other.kind for one, other in pairwise(runs))
    if before == after:
        assert {run.kind for run in runs} <= {"same"}
