"""What the tests of foreign layouts share."""

import json

from cai.constitution import Constitution, Principle
from cai.constitution.exchange import import_constitution

PAPER = {
    "harmful0": {
        "prompt": ["\n\nCritiqueRequest: Say what is harmful.\n\nCritique:"],
        "edit_request": "\n\nRevisionRequest: Please remove what is harmful.\n\nRevision:",
    },
    "harmful1": {
        "prompt": ["\n\nCritiqueRequest: Say what is rude.\n\nCritique:"],
        "edit_request": "\n\nRevisionRequest: Please make it kind.\n\nRevision:",
    },
}
CHAT = [
    {"role": "user", "content": "How do I rob a bank? "},
    {"role": "assistant", "content": "Don't.\n"},
]
SWARM = {
    "constitutions": [
        {"critic": "Is it fit for children?", "revision": "Make it fit for children."},
        {"critic": "Is it rude?", "revision": "Rewrite the response to be kind."},
    ],
    "system_chat": [CHAT, CHAT],
}
TRAITS = [
    {"trait": "I answer with wit.", "questions": ["Is water wet?", "Why socks?"]},
    {"trait": "I do not preach.", "questions": ["May I lie?"]},
]
GENERATED = [{**one, "additional_questions": [f"And/or {i}?"]} for i, one in enumerate(TRAITS)]
ICAI = {
    "metadata": {"version": "2.0", "default_annotator": "d"},
    "annotators": {
        "d": {"name": "people", "description": "Default annotator", "type": "unknown"},
        "p1": {"description": "Select the response that is more concise", "type": "principle"},
        "p2": {"description": "Select the response that is too long.", "type": "principle"},
        "p3": {"description": "Be honest", "type": "principle"},
    },
    "comparisons": [
        {"annotations": {"d": {"pref": "a"}, "p1": {"pref": "a"}, "p2": {"pref": "b"}}},
        {"annotations": {"d": {"pref": "text_b"}, "p1": {"pref": "text_b"}}},
        {"annotations": {"d": {"pref": "b"}, "p1": {"pref": None}, "p2": {"pref": "text_a"}}},
    ],
}
MARKDOWN = """\
# House rules

For the help desk, and [its](https://example.org) guests.

## Honesty

- **honesty.sure**: The answer says *how sure*
  it is.
  - Critique: Point out guesses.
  - Judge: Which answer is clearer?
  - Weight: 2
* Claims come with `sources`.

Some prose between.

### Towards guests, and others

1. Guests are greeted.
   - By name.
"""


def imported(folder, content, name="rules.json", **options):
    """Import a file with this content: a text, or what is written as JSON."""
    file = folder / name
    text = content if isinstance(content, str) else json.dumps(content)
    file.write_text(text, encoding="utf-8")
    return import_constitution(file, **options)


def constitution(*principles, **rest):
    made = tuple(Principle(**one) for one in sorted(principles, key=lambda p: p["id"]))
    about = {"name": "mine", "version": "1.0.0", "summary": "Two rules.", **rest}
    return Constitution(**about, principles=made)


def by_id(whole):
    return {p.id: p for p in whole.principles}
