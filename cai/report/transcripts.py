"""One row for people: what was asked, answered, revised and judged, cut to a readable length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.report.visible import cut
from cai.store.export_rows import public

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cai.records import (
        OrderVerdict,
        Pair,
        PrincipleVerdict,
        Response,
        Revision,
        Row,
        Split,
    )

__all__ = ["ShownPart", "ShownRow", "ShownText", "show_row"]

TEXT = 2500
"""Most characters of one text."""
WHOLE = 24_000
"""Most characters of all texts of a row together."""
_TITLE = 110


@dataclass(frozen=True, slots=True)
class ShownText:
    """The beginning of a text; `left_out` characters of it are missing. `look` is a colour."""

    label: str
    text: str
    left_out: int = 0
    look: str = ""


@dataclass(frozen=True, slots=True)
class ShownPart:
    """An answer, a revision or a pair."""

    title: str
    facts: tuple[str, ...] = ()
    texts: tuple[ShownText, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row; `reasons` say why it is shown, where it was chosen for something."""

    id: str
    split: Split
    title: str
    tags: tuple[str, ...]
    source: str
    reasons: tuple[str, ...]
    parts: tuple[ShownPart, ...]


def show_row(
    row: Row, split: Split, principles: Mapping[str, str], reasons: tuple[str, ...] = ()
) -> ShownRow:
    """Make a row readable.

    Args:
        row: of the split train or dev.
        split: its split.
        principles: text of each principle by its id.
        reasons: why it is shown.
    """
    question = row.prompt.messages[-1].content if row.prompt.messages else ""
    title, more = cut(" ".join(question[: 4 * _TITLE].split()), _TITLE)
    return ShownRow(
        id=row.prompt.id,
        split=split,
        title=f"{title}\N{HORIZONTAL ELLIPSIS}" if more else title or "(empty prompt)",
        tags=row.prompt.tags,
        source=public(row.prompt.source),
        reasons=reasons,
        parts=tuple(_Shower(principles).parts(row)),
    )


class _Shower:
    def __init__(self, principles: Mapping[str, str]) -> None:
        self._principles = principles
        self._left = WHOLE

    def parts(self, row: Row) -> Iterator[ShownPart]:
        for part in self._parts(row):
            if self._left <= 0:
                why = "What follows is left out: this row is too long for the page."
                yield ShownPart("Cut", (why,))
                return
            yield part

    def _parts(self, row: Row) -> Iterator[ShownPart]:
        turns = tuple(self._text(m.role, m.content, m.role) for m in row.prompt.messages)
        yield ShownPart("Prompt", (), turns)
        for i, sample in enumerate(row.samples):
            yield self._sample(f"Sample {i}", sample)
        for sample in row.contrast:
            yield self._sample("Answer with the constitution in the prompt", sample)
        for i, chain in enumerate(row.revisions):
            for revision in chain:
                yield self._revision(i, revision)
        for pair in row.pairs:
            yield self._pair(pair)

    def _sample(self, name: str, sample: Response) -> ShownPart:
        unusable = "" if sample.text else ", unusable"
        text = self._text("", sample.text or sample.raw, "assistant")
        return ShownPart(f"{name}: {sample.outcome}{unusable}", (), (text,))

    def _revision(self, index: int, revision: Revision) -> ShownPart:
        texts = []
        if revision.critique:
            texts.append(self._text("Critique", revision.critique, "critique"))
        if revision.stripped:
            texts.append(self._text("Cut off", revision.stripped, "critique"))
        if revision.revise_request_id or revision.raw:
            revised = revision.outcome == "revised"
            label = "Revision" if revised else "Not used"
            body = revision.text if revised else revision.raw
            texts.append(self._text(label, body, "assistant" if revised else "critique"))
        title = f"Sample {index}, round {revision.round}: {revision.outcome}"
        return ShownPart(title, (self._principle(revision.principle_id),), tuple(texts))

    def _pair(self, pair: Pair) -> ShownPart:
        said = pair.verdict.outcome if pair.verdict else pair.note or "not judged"
        facts = [f"First (A): {pair.first_name}. Second (B): {pair.second_name}."]
        if pair.p is not None:
            facts.append(f"p(first is better) = {pair.p:.3f}")
        if pair.verdict and pair.note:
            facts.append(f"Set aside: {pair.note}")
        for verdict in pair.verdict.principles if pair.verdict else ():
            facts += self._verdict(verdict)
        # Texts of samples and revisions stand above already.
        self._left -= sum(map(len, facts))
        return ShownPart(f"Pair ({pair.kind}): {said}", tuple(facts))

    def _verdict(self, verdict: PrincipleVerdict) -> Iterator[str]:
        ids = verdict.principle_ids
        under = self._principle(ids[0]) if len(ids) == 1 else f"{len(ids)} principles together"
        who = f", by {public(verdict.judge)}" if verdict.judge else ""
        yield f"Under {under}{who}"
        orders = [f"order {o.order.upper()}: {_shown_first(o)}" for o in verdict.orders]
        flipped = "; the orders name different winners" if verdict.flipped else ""
        if orders:
            yield f"Verdict {verdict.outcome}; {'; '.join(orders)}{flipped}"
        scores = [f"{s.answer} {s.value:.3f}" for s in verdict.scores if s.value is not None]
        if scores:
            yield f"Scores from 0 to 1: {', '.join(scores[:8])}"

    def _principle(self, name: str) -> str:
        text, more = cut(self._principles.get(name, "not in the constitution of the run"), 300)
        return f"{name}: {text}" + ("\N{HORIZONTAL ELLIPSIS}" if more else "")

    def _text(self, label: str, text: str, look: str) -> ShownText:
        shown, more = cut(text, max(0, min(TEXT, self._left)))
        self._left -= len(shown) + 1
        return ShownText(label, shown, more, look)


def _shown_first(order: OrderVerdict) -> str:
    p = order.p_shown_first
    return order.outcome if p is None else f"p(shown first) = {p:.3f}"
