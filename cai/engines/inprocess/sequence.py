"""One request on its way through the decoder."""

from __future__ import annotations

from concurrent.futures import Future, InvalidStateError
from typing import TYPE_CHECKING

from cai.engines.inprocess.sampling import Draw, best_tokens
from cai.errors import RowEngineError
from cai.records import Completion, CompletionOutcome, Request, TokenAlternative, Usage

if TYPE_CHECKING:
    from torch import Tensor

    from cai.engines.inprocess.chat import Chat

__all__ = ["Sequence"]


class Sequence:
    """Prompt, generated tokens and the future of one request.

    `submit`-ted by the event loop, everything else happens on the worker thread.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.future: Future[Completion] = Future()
        self.draw = Draw(request)
        self.prompt: list[int] = []
        self.prefix: tuple[int, ...] = ()
        self.generated: list[int] = []
        self._first: tuple[TokenAlternative, ...] = ()

    @property
    def prefill_only(self) -> bool:
        """Whether the first token is also the last, so that no decoding follows."""
        return self.request.sampling.max_tokens == 1

    @property
    def done(self) -> bool:
        """Whether the answer or error is out, or nobody waits for it any more."""
        return self.future.done()

    @property
    def stored(self) -> int:
        """Positions whose keys and values are in the cache; the newest token's are not yet."""
        return len(self.prompt) + len(self.generated) - 1

    def prepare(self, chat: Chat, max_positions: int | None) -> None:
        """Render and tokenise.

        Raises:
            RowEngineError: the template refuses the messages, or they do not fit the context.
        """
        messages = self.request.messages
        self.prompt = chat.prompt_ids(messages)
        limit = self.request.sampling.max_tokens
        if max_positions is not None and len(self.prompt) + limit > max_positions:
            raise RowEngineError(
                f"the prompt has {len(self.prompt)} tokens and max_tokens is {limit}, together "
                f"{len(self.prompt) + limit}; the model's context allows {max_positions}. "
                "Shorten the prompt or lower max_tokens"
            )
        self.prefix = chat.prefix_ids(messages[: self.request.shared], self.prompt)

    def note_first(self, logits: Tensor, chat: Chat) -> None:
        """Keep the likeliest first tokens, if the request asks for them."""
        count = self.request.sampling.top_logprobs
        if count and not self.generated:
            self._first = best_tokens(logits, count, chat.token_text)

    def accept(self, token: int, chat: Chat, ends: frozenset[int], version: str) -> None:
        """Append a generated token, and resolve the future if it is the last."""
        self.generated.append(token)
        if token in ends:
            self._answer(chat.text(self.generated[:-1]), "answered", version)
            return
        if self._stop_is_near(chat):
            text = chat.text(self.generated)
            found = [at for at in map(text.find, self.request.sampling.stop) if at >= 0]
            if found:
                self._answer(text[: min(found)], "answered", version)
                return
        if len(self.generated) >= self.request.sampling.max_tokens:
            self._answer(chat.text(self.generated), "truncated", version)

    def restart(self) -> None:
        """Forget what was generated, and draw the same noise once more."""
        self.generated.clear()
        self.draw = Draw(self.request)

    def fail(self, error: Exception) -> None:
        """Hand an error to whoever waits."""
        try:
            self.future.set_exception(error)
        except InvalidStateError:
            return  # cancelled in this very moment

    def _stop_is_near(self, chat: Chat) -> bool:
        """Look for stop strings in the last tokens only: a character has at most four tokens."""
        stops = self.request.sampling.stop
        if not stops:
            return False
        tail = chat.text(self.generated[-4 * (max(map(len, stops)) + 1) :])
        return any(stop in tail for stop in stops)

    def _answer(self, text: str, outcome: CompletionOutcome, version: str) -> None:
        usage = Usage(len(self.prompt), len(self.generated), len(self.prefix))
        completion = Completion(text, outcome, usage, self._first, version)
        try:
            self.future.set_result(completion)
        except InvalidStateError:
            return  # cancelled in this very moment
