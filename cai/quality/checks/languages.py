"""Which languages the answers are in, and whether they are those of the prompts."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

from cai.quality.check import Check, register

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.quality.check import Book, Options
    from cai.quality.records import Sample
    from cai.quality.texts import Texts

__all__ = ["Languages", "language_of"]

_LEAST_WORDS = 8
_CHARACTERS = 120
"""Of a text that are looked at: more makes it slower and no surer."""

_SURE = 0.95


@register
class Languages(Check):
    """Rows whose chosen answer is in another language than the prompt, both for sure."""

    name = "languages"
    about = "rows whose chosen answer is in another language than the prompt"
    fix = "Fine for translations; else drop the rows or sample them again."
    level = "info"

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self._answers: Counter[str] = Counter()
        self._prompts: Counter[str] = Counter()

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        answer = sample.target
        if answer is None:
            return
        self.seen += 1
        words = texts.answers[sample.chosen or 0]
        given = language_of(answer) if len(words) >= _LEAST_WORDS else ""
        asked = language_of(sample.question) if len(texts.question) >= _LEAST_WORDS else ""
        self._answers[given] += 1
        self._prompts[asked] += 1
        if given and asked and given != asked:
            self.hit(sample.index, f"asked in {asked}, answered in {given}", answer)

    def figures(self) -> Iterable[tuple[str, str]]:
        """See `Check.figures`."""
        for what, counts in (("Chosen answers", self._answers), ("Prompts", self._prompts)):
            if counts:
                names = [f"{c:,} {name or 'unclear'}" for name, c in counts.most_common(8)]
                more = f", {len(counts) - 8} more" if len(counts) > 8 else ""
                yield f"Languages of {what.lower()}", ", ".join(names) + more


def language_of(text: str) -> str:
    """ISO 639-1 code of a text's language, or an empty text when it is not clear (`py3langid`)."""
    name, probability = _identifier().classify(text[:_CHARACTERS])
    return str(name) if probability >= _SURE else ""


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
