"""Personal data in texts, by pattern: e-mail, phone, card, IBAN and IP addresses.

Names and street addresses have no pattern; `--presidio` looks for those with a model.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cai.quality.check import Check, register
from cai.quality.personal import masked, personal_data
from cai.quality.presidio import presidio_finder

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cai.quality.check import Book, Options
    from cai.quality.records import Sample
    from cai.quality.texts import Texts

__all__ = ["PersonalData"]


@register
class PersonalData(Check):
    """Rows whose prompt or answers hold personal data. Examples show it masked."""

    name = "pii"
    about = "rows with personal data (e-mail, phone, card, IBAN, IP; more with --presidio)"
    fix = "Replace it or drop the rows; a trained model can repeat it word by word."

    def __init__(self, options: Options, book: Book) -> None:
        super().__init__(options, book)
        self._kinds: Counter[str] = Counter()
        self._more = presidio_finder() if options.presidio else None

    def see(self, sample: Sample, texts: Texts) -> None:
        """See `Check.see`."""
        self.seen += 1
        found: dict[str, str] = {}
        for text in (*(turn.content for turn in sample.prompt), *sample.answers):
            for kind, value in personal_data(text):
                found.setdefault(kind, value)
            for kind, value in self._more(text) if self._more else ():
                found.setdefault(kind, value)
        self._kinds.update(found.keys())
        if found:
            shown = ", ".join(f"{kind} {masked(value)}" for kind, value in found.items())
            self.hit(sample.index, f"holds {', '.join(found)}", shown)

    def figures(self) -> Iterable[tuple[str, str]]:
        """See `Check.figures`."""
        yield from ((f"Rows with {kind}", f"{n:,}") for kind, n in self._kinds.most_common())
