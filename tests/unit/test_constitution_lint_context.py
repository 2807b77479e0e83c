"""Whether questions fit into a context, by an estimate."""

import pytest

from cai.config import parse_config
from cai.constitution import Constitution, Finding
from cai.constitution.lint import context_findings, questions
from cai.constitution.lint.context import LEAST_CONVERSATION, Question
from cai.templates import load_template
from tests.unit.lint_helpers import OTHER, constitution, only

LONG = {"text": "The answer says how sure it is. " + "And so on. " * 150}


def asked(judge: dict | None = None, loop: dict | None = None, name: str = "default"):
    given = {"prompts": {"path": "starter"}, "judge": judge or {}, "loop": loop or {}}
    config = parse_config(given)
    stage = "judge" if config.judge.mode in ("labels", "reasoning") else "score"
    critique, revise = load_template("critique", "default"), load_template("revise", "default")
    return questions(config, load_template(stage, name), critique, revise)


def found(rules: Constitution, context: int, whole: bool = False, **given) -> list[Finding]:
    return context_findings(rules, context, asked(**given), whole=whole)


def test_a_question_is_its_text_at_four_characters_a_token() -> None:
    rules, template = constitution({}), load_template("judge", "default")
    shown = {"conversation": "", "answer_a": "", "answer_b": "", "principles": rules.principles}
    messages = template.render(shown)
    text = sum(len(m.content) for m in messages)
    question = Question(template, 0, 1, "nothing")
    tokens = question.tokens({"principles": list(rules.principles)})
    assert tokens == -(-text // 4) + 4 * len(messages)
    assert rules.principles[0].judge in messages[-1].content


def test_what_is_asked_depends_on_the_config() -> None:
    answer = {
        "sample": {"max_tokens": 100},
        "revision": {"max_tokens": 80},
        "critique": {"max_tokens": 50},
    }
    names = [(q.name, q.answers, q.reply) for q in asked(loop=answer)]
    assert names == [
        ("judge/default", 200, 1),
        ("critique/default", 100, 50),
        ("revise/default", 150, 80),
    ]
    assert [q.name for q in asked(loop={"rounds": 0})] == ["judge/default"]
    assert [q.name for q in asked(loop={"direct": True})] == ["judge/default", "revise/default"]
    thinking = asked(judge={"mode": "reasoning"}, name="reasoning")[0]
    assert thinking.reply == 257
    assert asked(judge={"mode": "score"}, loop=answer, name="expected")[0].answers == 100


def test_the_least_context_that_fits_is_the_sum_of_all_parts() -> None:
    rules, (question,) = constitution({}), asked(loop={"rounds": 0})
    tokens = question.tokens({"principles": list(rules.principles)})
    enough = tokens + question.answers + question.reply + LEAST_CONVERSATION
    assert found(rules, enough, loop={"rounds": 0}) == []
    short = only(found(rules, enough - 1, loop={"rounds": 0}))
    assert (short.code, short.level, short.principle_id) == ("C701", "error", "honesty.sure")
    assert f"of {enough - 1:,} tokens, judge/default takes about {tokens:,}" in short.message
    assert "two answers of up to 512" in short.message
    assert "leaves 255 for the conversation, which wants 256" in short.message


def test_one_long_principle_is_named() -> None:
    rules = constitution({"judge": "Which answer? " + "Mind it. " * 200}, OTHER)
    assert {(f.code, f.principle_id) for f in found(rules, 2048)} == {("C701", "honesty.sure")}
    assert found(constitution({}, OTHER), 2048) == []


def test_examples_count() -> None:
    example = {"prompt": "p " * 800, "better": "b " * 800, "worse": "w " * 800}
    assert found(constitution({"examples": [example]}, OTHER), 2048)
    assert found(constitution({}, OTHER), 2048) == []


def test_where_nothing_fits_it_is_said_once_for_each_question() -> None:
    short = found(constitution({}, OTHER), 700)
    assert [(f.code, f.principle_id) for f in short] == [("C701", "")] * 3
    assert "not even the shortest" in short[0].message
    assert "too many, and leaves nothing for the conversation" in short[0].message


def test_the_whole_constitution_in_one_question() -> None:
    many = constitution(*({**LONG, "id": f"p.{i}"} for i in range(4)))
    once = {"rounds": 0}
    assert found(many, 2048, loop=once) == []
    short = only(found(many, 2048, whole=True, loop=once))
    assert (short.code, short.level, short.principle_id) == ("C702", "error", "")
    assert "All 4 principles in one question" in short.message
    assert found(many, 8192, whole=True, loop=once) == []


def test_propositions_are_asked_one_by_one() -> None:
    long = {"propositions": [{"text": "It is so."}, {"text": "It is so. " * 190}]}
    given = {"judge": {"mode": "propositions"}, "loop": {"rounds": 0}, "name": "proposition"}
    assert found(constitution({"propositions": long["propositions"][:1]}), 1100, **given) == []
    assert only(found(constitution(long), 1100, **given)).code == "C701"


@pytest.mark.parametrize("whole", [False, True])
def test_a_huge_context_fits_everything(whole: bool) -> None:
    assert found(constitution(LONG, OTHER), 1_000_000, whole=whole) == []
