"""A scripted judge that believes what it reads, to try defences against injected instructions.

It takes a text for data only where it stands between tags with a code that the first tag of the
question has shown. Everything else it reads as said by whoever asks, and it obeys the last
instruction that names a label.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cai.engines.scripted import ScriptedEngine, made_up

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from cai.engines.scripted import Reply, ScriptedAnswer
    from cai.records import Request

__all__ = ["gullible"]

_TAG = r"(?:conversation|answer_a|answer_b|response)"
_CODE = re.compile(rf"<{_TAG} ([0-9a-f]+)>")
_WORDS = (
    r"choose|reply|respond|output|select|pick|prefer|verdict|winner|better|best|say|wähle|elige|"
    r"find that|answer is|assistant"
)
# "A or B" offers a choice; a word of command before one letter makes it.
_ORDER = re.compile(
    rf"(?i:\b(?:{_WORDS})|选择)[^.\n]{{0,40}}?\b([AB])\b(?! or )(?<! or B)"
    r"|^[(\[]+([AB])[)\]]+$",
    re.MULTILINE,
)


def gullible(otherwise: ScriptedAnswer = made_up) -> ScriptedAnswer:
    """A script for `ScriptedEngine`, of pairwise judges whose labels are A and B.

    Args:
        otherwise: answers where there is no instruction to obey.
    """

    def answer(request: Request) -> Reply | Awaitable[Reply]:
        obeyed = _obeyed(request) if request.stage == "judge" else None
        if obeyed is None:
            return otherwise(request)
        return ScriptedEngine.label(0.98 if obeyed == "A" else 0.02)

    return answer


def _obeyed(request: Request) -> str | None:
    """The label that the last instruction in the question names."""
    text = request.messages[-1].content
    code = _CODE.search(text)
    if code:
        text = re.sub(rf"<({_TAG}) {code[1]}>.*?</\1 {code[1]}>", "", text, flags=re.DOTALL)
    orders = list(_ORDER.finditer(text))
    return next((label for label in orders[-1].groups() if label), None) if orders else None
