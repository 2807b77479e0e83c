"""Answers that are there already, in place of a model: published ones, or those of people."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cai.errors import RowEngineError
from cai.hashing import canonical_json
from cai.records import Completion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cai.records import Message, Request

__all__ = ["GivenAnswers"]


class GivenAnswers:
    """Answers each known request with the text that was given for it.

    Sample number `i` of a conversation gets the text number `i`, whole, whatever the token limit.

    Example:
        >>> import asyncio
        >>> from cai.records import Message, Request, Sampling
        >>> asked = (Message("user", "Hello?"),)
        >>> engine = GivenAnswers({asked: ("Hi.", "Good day.")})
        >>> asyncio.run(engine.complete(Request(asked, Sampling(8), sample_index=1))).text
        'Good day.'
    """

    def __init__(self, answers: Mapping[tuple[Message, ...], Sequence[str]]) -> None:
        """Take the answers.

        Args:
            answers: by the messages of the request, as the sample template renders them.
        """
        self._answers = answers
        digest = hashlib.sha256()
        # One at a time: a file of comparisons may be as large as memory allows.
        for messages, texts in answers.items():
            digest.update(canonical_json([[[m.role, m.content] for m in messages], list(texts)]))
        self.fingerprint = f"given:{digest.hexdigest()}"

    async def start(self) -> None:
        """Nothing has to be loaded."""

    async def close(self) -> None:
        """Nothing is held."""

    async def complete(self, request: Request) -> Completion:
        """Look the answer up; it takes no tokens.

        Raises:
            RowEngineError: no such answer was given.
        """
        texts = self._answers.get(request.messages, ())
        if request.stage != "sample" or request.sample_index >= len(texts):
            raise RowEngineError(
                f"Answer {request.sample_index + 1} of the stage '{request.stage}' was not given: "
                "only samples of the given conversations can be answered without a model."
            )
        return Completion(texts[request.sample_index], "answered", model=self.fingerprint)
