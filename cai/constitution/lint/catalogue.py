"""Every rule: its code, what it finds and why that matters. `cai constitution lint --rules`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.constitution.lint.finding import Rule
from cai.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RULES", "codes_of"]

RULES = (
    Rule(
        "C101",
        "duplicate",
        "Error: two principles have the same text or the same judge question, but for letter case "
        "and punctuation.",
        "Its subject is drawn twice as often, and the same question is paid for twice.",
    ),
    Rule(
        "C102",
        "near-duplicate",
        "Two texts or judge questions are 75% alike or more, by the three-letter pieces of their "
        "telling words, whatever the order and the endings.",
        "As for duplicates. Rewordings with other words altogether are not found.",
    ),
    Rule(
        "C201",
        "placeholder",
        "Error: a wording has something like {{ name }}, ${name} or <|name|>.",
        "Wordings are shown as they are; the model would see the braces.",
    ),
    Rule(
        "C202",
        "answer-label",
        "Error: a judge question says answer A, the first answer, or the like.",
        "Answers are shown in both orders; naming one pulls the judge to a slot.",
    ),
    Rule(
        "C203",
        "too-long",
        "A text, critique or revise has more than 30 words, or a judge question more than 25.",
        "Small models lose the thread of longer ones.",
    ),
    Rule(
        "C204",
        "negative-framing",
        "A text only says what to leave out. Silent where 'framing: negative' is declared.",
        "Principles that name a wanted behaviour agree better with people (C3AI, 2502.15861).",
    ),
    Rule(
        "C205",
        "framing-mismatch",
        "'framing' says the opposite of what the text does.",
        "Reports by framing count it on the wrong side.",
    ),
    Rule(
        "C206",
        "preachy",
        "A text, rewrite, judge question or rewarded proposition asks for a sermon: 'as an AI', "
        "'remind the user', 'explain why it is wrong', 'lecture'. Not where the words are barred "
        "('without a lecture').",
        "The model learns to moralise (2212.08073 wrote principles against it).",
    ),
    Rule(
        "C207",
        "evasive",
        "A wording asks to refuse everything ('always refuse'), or for nothing but a refusal or a "
        "referral ('consult a professional', 'should not discuss').",
        "An empty refusal then wins every comparison.",
    ),
    Rule(
        "C208",
        "critique-without-flaws",
        "A critique does not ask for anything wrong.",
        "A critic who is not asked for flaws tends to praise.",
    ),
    Rule(
        "C209",
        "judge-question",
        "A judge question does not ask which answer is better; an error where it is no question.",
        "The judge sees two answers and has to pick one.",
    ),
    Rule(
        "C210",
        "dangling-reference",
        "A critique, rewrite or judge question speaks of 'this principle', 'the rules above'.",
        "The model is shown the wording alone, and no principle above it.",
    ),
    Rule(
        "C301",
        "no-judge",
        "A principle has no judge question, no propositions and no rubric; an error where all lack "
        "them.",
        "It is not drawn for comparisons.",
    ),
    Rule(
        "C302",
        "no-revision",
        "A principle has no critique or no revise request.",
        "It is not drawn for revisions.",
    ),
    Rule(
        "C303",
        "no-origin",
        "A principle has neither note nor source.",
        "Later readers cannot tell where it comes from.",
    ),
    Rule(
        "C304",
        "no-tags",
        "A principle has no tags.",
        "Reports by subject leave it out.",
    ),
    Rule(
        "C401",
        "unreachable",
        "Error: 'applies_to' wants a tag that its own 'none' bars.",
        "The principle is never used.",
    ),
    Rule(
        "C402",
        "unmatched-selector",
        "With --prompts: 'applies_to' matches none of them.",
        "Often a misspelt tag.",
    ),
    Rule(
        "C403",
        "prompts-without-principle",
        "Error, with --prompts: prompts that no principle applies to.",
        "Their rows fail.",
    ),
    Rule(
        "C404",
        "prompts-without-wording",
        "With --prompts: prompts whose principles all lack a judge question, or a critique and a "
        "revise request.",
        "They cannot be compared, or revised.",
    ),
    Rule(
        "C501",
        "rubric-ends",
        "A rubric says nothing of 1 or of 10.",
        "Without both ends of the scale judges crowd in the middle.",
    ),
    Rule(
        "C502",
        "rewarded-fault",
        "A proposition names a fault and has a weight above 0.",
        "Answers with the fault are preferred.",
    ),
    Rule(
        "C503",
        "equal-example",
        "Error: in an example, better and worse are the same.",
        "It tells the judge that there is no difference.",
    ),
    Rule(
        "C504",
        "long-example",
        "An example has more than ten times the words of the judge question.",
        "It drowns the question, and is read in every comparison.",
    ),
    Rule(
        "C601",
        "dominant-weight",
        "One principle gets more than half of all draws.",
        "The others hardly count.",
    ),
    Rule(
        "C602",
        "tiny-weight",
        "A weight is below a tenth of the median weight.",
        "The principle is hardly ever drawn.",
    ),
    Rule(
        "C603",
        "one-sided-mix",
        "Principles are tagged harmlessness, and none anti-evasive or non-preachy.",
        "Harmlessness alone teaches a model to dodge and to lecture.",
    ),
    Rule(
        "C604",
        "overlapping-priorities",
        "Two entries of 'priorities' name the same principle, and the first is not just an "
        "exception to the second.",
        "The first counts, which may not be what was meant.",
    ),
    Rule(
        "C605",
        "no-priorities",
        "Error: 'aggregate: priority' without 'priorities'.",
        "A run stops.",
    ),
    Rule(
        "C701",
        "context-of-one",
        "Error, with --context: a question about one principle leaves less than 256 tokens for "
        "the conversation.",
        "Prompts would be cut, or refused by the server.",
    ),
    Rule(
        "C702",
        "context-of-all",
        "Error, with --context and judge.scope: constitution: the same for all principles in one "
        "question.",
        "As above.",
    ),
    Rule(
        "C801",
        "uncovered",
        "With --coverage: categories of a taxonomy that no principle is about, by tags and words.",
        "What is not written is left to the judge's taste. Words prove little: look.",
    ),
    Rule(
        "C802",
        "contradiction",
        "With --contradictions: a judge says, in both orders, that no answer can follow two rules. "
        "Listed only where it gets most pairs with a known answer right.",
        "Labels under the two cancel out. A weak judge's word is worth little.",
    ),
    Rule(
        "C901",
        "changed-release",
        "Error: a released version is missing, or no longer says what it said at its release.",
        "Its labels name it, and would mean something else.",
    ),
    Rule(
        "C902",
        "unrecorded-release",
        "A file is named by a version and not recorded as released; an error where others are.",
        "Nothing would tell if it changed after it was used.",
    ),
)


def codes_of(patterns: Iterable[str]) -> frozenset[str]:
    """The codes that are meant by codes and beginnings of codes, such as C2.

    Raises:
        UsageError: there is no such code.
    """
    known = [rule.code for rule in RULES]
    found: set[str] = set()
    for pattern in patterns:
        meant = [code for code in known if pattern and code.startswith(pattern.upper())]
        if not meant:
            raise UsageError(
                f"No rule has the code '{pattern}'. Known: {', '.join(known)}."
                f"{nearest(pattern.upper(), known)} See cai constitution lint --rules."
            )
        found.update(meant)
    return frozenset(found)
