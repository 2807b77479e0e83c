"""Constitutions to be linted."""

from typing import Any

from hypothesis import strategies as st

from cai.constitution import Constitution, Finding, Principle, lint

GOOD: dict[str, Any] = {
    "id": "honesty.sure",
    "text": "The answer says how sure it is.",
    "critique": "Point out where the answer sounds more certain than it is.",
    "revise": "Rewrite the answer so that it says how sure it is.",
    "judge": "Which answer is clearer about how sure it is?",
    "tags": ("honesty",),
    "note": "Own.",
}
OTHER: dict[str, Any] = {
    **GOOD,
    "id": "tone.warm",
    "text": "It sounds kind and capable throughout.",
    "judge": "Which one sounds kinder and more capable?",
}


def constitution(*changes: dict[str, Any], **whole: Any) -> Constitution:
    principles = tuple(Principle(**{**GOOD, **change}) for change in changes)
    return Constitution(name="x", version="1.0.0", summary="s", principles=principles, **whole)


def check(*changes: dict[str, Any], **whole: Any) -> list[Finding]:
    return lint(constitution(*changes, **whole))


def only(found: list[Finding]) -> Finding:
    assert len(found) == 1, found
    return found[0]


PIECES = st.sampled_from(
    [
        *("The answer ", "does not ", "always refuses ", "reminds the user ", "and ", "without "),
        *("lecture ", "as an AI ", "{{ x }} ", "Which ", "answer A ", "? ", ", ", ". ", "instead "),
        *("kind ", "true ", "this principle ", "consult a doctor ", "\u00e9\u00df \u4e2d\u6587 "),
    ]
)
WORDS = st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=60)).map(
    # A blank text is refused; an absent one is not.
    lambda text: text if text.strip() else ""
)
TEXTS = WORDS.map(lambda text: text or "x")
PATTERNS = st.text("ab*?[]!-", min_size=1, max_size=4)
SLUGS = st.sampled_from(["harmlessness", "honesty", "non-preachy", "anti-evasive", "a", "b"])
SELECTORS = st.fixed_dictionaries(
    {key: st.lists(PATTERNS, max_size=2).map(tuple) for key in ("any", "all", "none")}
)


@st.composite
def principles(draw: st.DrawFn, name: str) -> Principle:
    """Any valid principle."""
    scores = draw(st.lists(st.integers(1, 10), unique=True, max_size=3))
    return Principle.model_validate(
        {
            "id": name,
            "text": draw(TEXTS),
            "critique": draw(WORDS),
            "revise": draw(WORDS),
            "judge": draw(WORDS),
            "tags": draw(st.lists(SLUGS, max_size=3)),
            "weight": draw(st.floats(0.001, 1000)),
            "applies_to": draw(SELECTORS),
            "rubric": [{"score": score, "text": draw(TEXTS)} for score in scores],
            "propositions": draw(
                st.lists(
                    st.fixed_dictionaries({"text": TEXTS, "weight": st.floats(-5, 5)}), max_size=2
                )
            ),
            "examples": draw(
                st.lists(
                    st.fixed_dictionaries(dict.fromkeys(("prompt", "better", "worse"), TEXTS)),
                    max_size=1,
                )
            ),
            "framing": draw(st.sampled_from([None, "positive", "negative"])),
            "note": draw(st.sampled_from(["", "Own."])),
        }
    )


@st.composite
def constitutions(draw: st.DrawFn, most: int = 5) -> Constitution:
    """Any valid constitution, put together."""
    count = draw(st.integers(1, most))
    return Constitution(
        name="x",
        version="1.0.0",
        summary="s",
        principles=tuple(draw(principles(f"p.{i}")) for i in range(count)),
        priorities=tuple(draw(st.lists(st.sampled_from(["p.*", "p.1", "tag:a*"]), max_size=3))),
        aggregate=draw(st.sampled_from([None, "priority", "worst"])),
    )
