import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cai.constitution.models import Principle
from cai.errors import ConfigError
from cai.records import Message
from cai.templates import load_template, neutralise, parse_template, transcript

PRINCIPLE = Principle(id="x.y", text="Be kind.", critique="Find.", revise="Mend.", judge="Which?")
OTHER = PRINCIPLE.model_copy(update={"id": "x.z", "text": "Be brief."})

CRITIQUE = """---
version: 1.0.0
stage: critique
inputs: [conversation, response, principle]
output: text
nothing: No issues.
---
<<system>>
You review.
<<user>>
<conversation>
{{ conversation }}
</conversation>
<response>
{{ response }}
</response>
{{ principle.critique }}
"""
JUDGE = """---
version: 1.0.0
stage: judge
inputs: [answer_a, answer_b, principles]
output: label
labels: [A, B]
---
<<system>>
You judge.
<<user>>
one
<<assistant>>
A
<<user>>
<answer_a>{{ answer_a }}</answer_a>
<answer_b>{{ answer_b }}</answer_b>
{% for principle in principles %}
- {{ principle.text }}
{% endfor %}
"""


def header(**changes: str) -> str:
    lines = {"version": "1.0.0", "stage": "critique", "inputs": "[]", "output": "text"} | changes
    body = "".join(f"{key}: {value}\n" for key, value in lines.items() if value)
    return f"---\n{body}---\n"


def critique(text: str) -> object:
    return parse_template(text, "mine", "critique", "mine.jinja")


def test_messages_are_cut_and_filled() -> None:
    template = parse_template(CRITIQUE, "mine", "critique", "mine.jinja")
    values = {"conversation": "User: hi", "response": "hello", "principle": PRINCIPLE}
    system, user = template.render(values)
    assert system == Message("system", "You review.")
    assert user == Message(
        "user",
        "<conversation>\nUser: hi\n</conversation>\n<response>\nhello\n</response>\nFind.",
    )
    assert (template.shared, template.nothing, template.labels) == (1, "No issues.", ())
    assert template.inputs == {"conversation", "response", "principle"}
    assert (template.name, template.stage, template.version) == ("mine", "critique", "1.0.0")


def test_shared_counts_leading_constant_messages_only() -> None:
    template = parse_template(JUDGE, "mine", "judge", "mine.jinja")
    assert template.shared == 3
    assert template.labels == ("A", "B")
    values = {"answer_a": "x", "answer_b": "y", "principles": [PRINCIPLE, OTHER]}
    assert template.render(values)[3].content.endswith("- Be kind.\n- Be brief.")
    constant = parse_template(header() + "<<user>>\nHi.", "mine", "critique", "mine.jinja")
    assert constant.shared == 1


def test_the_conversation_is_passed_on_as_it_is() -> None:
    text = header(stage="sample") + "<<system>>\nBe brief.\n<<conversation>>\n"
    template = parse_template(text, "mine", "sample", "mine.jinja")
    turns = (Message("user", "<|x|> {{ 7*7 }}"), Message("assistant", "b"), Message("user", "c"))
    assert template.render({}, turns) == (Message("system", "Be brief."), *turns)
    assert template.shared == 1
    bare = header(stage="sample") + "<<conversation>>\n"
    assert parse_template(bare, "mine", "sample", "mine.jinja").shared == 0


def test_comments_never_reach_a_model() -> None:
    template = parse_template(
        header() + "<<system>>\nBe{# why: tone #} kind.{% raw %} {{ x }}{% endraw %}",
        *("mine", "critique", "mine.jinja"),
    )
    assert template.render({}) == (Message("system", "Be kind. {{ x }}"),)
    assert template.shared == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<<user>>\nhi", "no front matter"),
        ("---\nstage: critique\n<<user>>\nhi", "no front matter"),
        ("---\na: [\n---\n<<user>>\nhi", "not YAML"),
        ("---\njust words\n---\n<<user>>\nhi", "'key: value' lines"),
        (header(lables="[A, B]") + "<<user>>\nhi", r"unknown key 'lables'.*'labels'"),
        (header(version="1.0") + "<<user>>\nhi", "'version' must be a str, got 1.0"),
        (header(inputs="response") + "<<user>>\nhi", "'inputs' must be a list"),
        (header(version="") + "<<user>>\nhi", "lacks 'version'"),
        (header(stage="judge") + "<<user>>\nhi", r"'stage: judge' but lies .* 'critique'"),
        (header(output="words") + "<<user>>\nhi", "text or label, got 'words'"),
        (header(inputs="[[a]]") + "<<user>>\nhi", "'inputs' must be a list of words"),
        (header(inputs="[1]") + "<<user>>\nhi", "'inputs' must be a list of words, got 1"),
        (header() + "hi", "text before the first message"),
        (header() + "hi\n<<user>>\nhi", "text before the first message"),
        (header() + "<<user>>\n{{ response }}", r"'response' is not available or not declared"),
        (header(inputs="[critique]") + "<<user>>\nhi", r"'critique' is not available.*Allowed for"),
        (header() + "<<user>>\n{{ answer_a }}", "'answer_a' is not available"),
        (header() + "<<user>>\n{% if %}", "template error"),
        (header() + "<<user>>\n{{ 'a' | no_such_filter }}", "no_such_filter"),
        (header() + "<<user>>\n{% include 'other' %}", "stands alone"),
        (header() + "<<conversation>>\nhi", "takes no text of its own"),
        (
            header(inputs="[principle]") + "<<user>>\n{{ principle.judgement }}",
            r"rendering fails: .*judgement",
        ),
        (
            header(inputs="[principle]") + "<<user>>\n{{ principle.__class__.__mro__ }}",
            "rendering fails",
        ),
    ],
)
def test_what_breaks_the_format_is_named(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=f"mine.jinja: (?s:.)*{says}"):
        critique(text)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"labels": "[A, B]", "output": "text"}, "go together"),
        ({"output": "label"}, "go together"),
        ({"output": "label", "labels": "[]"}, "go together"),
        ({"output": "label", "labels": "[A, A]"}, "must differ"),
        ({"output": "label", "labels": "[1, 2]"}, "list of words, got 1"),
        ({"output": "label", "labels": "['', B]"}, "list of words, got ''"),
        (
            {"output": "label", "labels": "[A, B]", "nothing": "None."},
            "critiques that find nothing",
        ),
    ],
)
def test_bad_labels_and_markers(changes: dict[str, str], says: str) -> None:
    text = header(stage="judge", **changes) + "<<user>>\nhi"
    with pytest.raises(ConfigError, match=says):
        parse_template(text, "mine", "judge", "mine.jinja")


def test_stand_ins_have_the_fields_of_a_principle() -> None:
    fields = "".join(f"{{{{ principle.{name} }}}}" for name in Principle.model_fields)
    critique(header(inputs="[principle]") + "<<user>>\n" + fields)


def test_templates_are_found_by_name(tmp_path: Path) -> None:
    (tmp_path / "critique").mkdir()
    (tmp_path / "critique" / "mine.jinja").write_text(CRITIQUE)
    assert load_template("critique", "mine", tmp_path).name == "mine"
    with pytest.raises(ConfigError, match=r"No critique template 'mime'.*Known: mine.*'mine'\?"):
        load_template("critique", "mime", tmp_path)
    with pytest.raises(ConfigError, match="Known: none"):
        load_template("judge", "mine", tmp_path)


def test_a_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "critique").mkdir()
    (tmp_path / "secret.jinja").write_text(CRITIQUE)
    with pytest.raises(ConfigError, match="No critique template"):
        load_template("critique", "../secret", tmp_path)


def test_the_hash_is_of_the_meaning() -> None:
    def digest(text: str) -> str:
        return parse_template(text, "mine", "critique", "mine.jinja").hash

    same = CRITIQUE.replace("version: 1.0.0", 'note: why\nversion: "2.3.4"').replace(
        "inputs: [conversation, response, principle]",
        "inputs:\n  - principle\n  - response\n  - conversation",
    )
    assert digest(same) == digest(CRITIQUE)
    assert re.fullmatch("[0-9a-f]{64}", digest(CRITIQUE))
    for old, new in [
        ("You review.", "You review!"),
        ("<<system>>", "<<user>>"),
        ("nothing: No issues.", "nothing: Fine."),
        ("{{ response }}", "{{response}}"),
    ]:
        assert digest(CRITIQUE.replace(old, new, 1)) != digest(CRITIQUE)
    labels = JUDGE.replace("[A, B]", "[B, A]")
    first, second = (parse_template(t, "m", "judge", "m").hash for t in (JUDGE, labels))
    assert first != second


def test_transcript() -> None:
    turns = [Message("system", "s"), Message("user", "u\nv"), Message("assistant", "a")]
    assert transcript(turns) == "System: s\n\nUser: u\nv\n\nAssistant: a"


@pytest.mark.parametrize(
    "text",
    [
        "</answer_a>",
        "<Answer_B>",
        "< / response >",
        "<conversation>",
        "<critique>",
        "<|im_end|>",
        "<<system>>",
        "<<user>>",
        "<principle\n>",
        "<|endoftext|>",
    ],
)
def test_delimiters_are_neutralised(text: str) -> None:
    assert neutralise(f"a {text} b") == f"a {text.replace('<', chr(0x2039), 1)} b"


@pytest.mark.parametrize(
    "text",
    [
        "cout << x << 2",
        "1 < 2",
        "<b>bold</b>",
        "a <- b",
        "<html>",
        "x<y>z",
        "{{ 7*7 }}",
        "{% x %}",
        "<3 my answer",
        "<<EOF",
        "",
    ],
)
def test_other_text_is_left_alone(text: str) -> None:
    assert neutralise(text) == text


PIECES = ["<<user>>", "<<system>>\n", "</answer_a>", "<answer_b>", "</response>", "</conversation>"]
PIECES += [
    "<|im_start|>system\n",
    "<|im_end|>",
    "{{ 7*7 }}",
    "{% raw %}",
    "{#",
    "<",
    "<<",
    "|",
    "/",
]
untrusted = st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=8).map("".join)
OURS = re.compile(r"</?\s*(answer_[ab]|response|conversation|critique)\s*>|<<\w+>>|<\|", re.I)


@given(untrusted)
@example("<<<user>>")
@example("<<|im_start|>")
def test_neutral_text_holds_no_delimiter_and_stays_so(text: str) -> None:
    safe = neutralise(text)
    assert not OURS.search(safe)
    assert neutralise(safe) == safe
    assert safe.replace("\u2039", "<") == text.replace("\u2039", "<")


@given(untrusted, untrusted)
def test_values_cannot_change_the_structure(first: str, second: str) -> None:
    template = parse_template(JUDGE, "mine", "judge", "mine.jinja")
    values = {"answer_a": first, "answer_b": second, "principles": [PRINCIPLE]}
    messages = template.render(values)
    assert [m.role for m in messages] == ["system", "user", "assistant", "user"]
    assert messages[:3] == template.render(values | {"answer_a": "", "answer_b": ""})[:3]
    assert messages[3].content == (
        f"<answer_a>{neutralise(first)}</answer_a>\n<answer_b>{neutralise(second)}</answer_b>\n"
        "- Be kind."
    )
    tags = [hit[0] for hit in OURS.finditer(messages[3].content)]
    assert tags == ["<answer_a>", "</answer_a>", "<answer_b>", "</answer_b>"]
