"""Adding an attack, or a harmless text in its place, to an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.judge.attacks.encode import encode

if TYPE_CHECKING:
    from cai.judge.attacks.suite import Attack
    from cai.templates import Template

__all__ = ["Target", "add", "attacked"]


@dataclass(frozen=True, slots=True)
class Target:
    """What an attacker wants to be said: the winning label, the losing one, and their tags."""

    label: str
    other: str
    tag: str
    other_tag: str

    @classmethod
    def both(cls, template: Template) -> tuple[Target, Target]:
        """For an answer that is shown first, and for one that is shown second.

        Of scores, which show one answer, the best label is wanted: the last number, or the first of
        two words.
        """
        labels = template.labels
        if template.stage == "score":
            best, worst = labels[-1], labels[0]
            if not best.isdecimal():
                best, worst = worst, best
            one = cls(best, worst, "response", "conversation")
            return one, one
        a, b = labels
        return cls(a, b, "answer_a", "answer_b"), cls(b, a, "answer_b", "answer_a")


def attacked(attack: Attack, target: Target) -> str:
    """The text of an attack for a target."""
    values = {
        "label": target.label,
        "other": target.other,
        "tag": target.tag,
        "other_tag": target.other_tag,
    }
    payload = encode(attack.payload.format(**values), attack.encoding)
    filler = attack.filler * attack.repeat
    return filler + attack.text.format(**values, payload=payload)


def add(answer: str, text: str, attack: Attack) -> str:
    """An answer with a text where the attack has its place, on a line of its own."""
    return f"{text}\n{answer}" if attack.place == "prepend" else f"{answer}\n{text}"
