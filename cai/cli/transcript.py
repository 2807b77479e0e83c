"""The transcript of one row, for people: what was asked, answered, revised and judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cai.cli.costs import print_row_costs
from cai.cli.tables import print_heading, print_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cai.records import (
        AnswerScore,
        Message,
        OrderVerdict,
        Pair,
        PrincipleVerdict,
        Response,
        Revision,
        Row,
        Split,
    )
    from cai.store import RunStore

__all__ = ["print_transcript"]


def print_transcript(store: RunStore, row: Row, split: Split, requests: bool) -> None:
    """Print everything that the store knows of a row.

    Args:
        store: the run.
        row: one of its rows.
        split: the split that the row is in.
        requests: also the exact messages of every call.
    """
    _Transcript(store, requests).print(row, split)


class _Transcript:
    def __init__(self, store: RunStore, requests: bool) -> None:
        self._store = store
        self._requests = requests
        constitution = store.meta("constitution") or {}
        self._principles: Mapping[str, str] = {
            principle["id"]: principle["text"] for principle in constitution.get("principles", ())
        }

    def print(self, row: Row, split: Split) -> None:
        prompt = row.prompt
        print_text(f"Row {prompt.id}  split {split}  plan {row.plan[:12]}")
        if row.plan != self._store.meta("plan"):
            print_text("This row was made under an earlier plan and is no part of the exports.")
        if prompt.source or prompt.tags:
            print_text(
                f"From {prompt.source or 'unknown'}; tags: {', '.join(prompt.tags) or 'none'}"
            )
        if row.failed:
            print_text(f"Failed: {row.error}")
        print_heading("Prompt")
        self._messages(prompt.messages)
        for index, sample in enumerate(row.samples):
            self._sample(index, sample)
        for under in row.contrast:
            self._sample("under the constitution", under)
        for index, chain in enumerate(row.revisions):
            for revision in chain:
                self._revision(index, revision)
        for pair in row.pairs:
            self._pair(pair)
        print_row_costs(self._store, row)

    def _sample(self, index: int | str, sample: Response) -> None:
        unusable = "" if sample.text else ", unusable"
        print_heading(f"Sample {index}: {sample.outcome}{unusable}")
        print_text(sample.text or sample.raw, indent=2)
        if sample.text and sample.raw.strip() != sample.text:
            print_text("As generated:", indent=2)
            print_text(sample.raw, indent=4)
        self._call(sample.request_id)

    def _revision(self, index: int, revision: Revision) -> None:
        print_heading(f"Sample {index}, revision {revision.round}: {revision.outcome}")
        self._principle(revision.principle_id)
        if revision.critique:
            print_text("Critique:", indent=2)
            print_text(revision.critique, indent=4)
        self._call(revision.critique_request_id)
        if revision.stripped:
            print_text("Cut off:", indent=2)
            print_text(revision.stripped, indent=4)
        if revision.revise_request_id:
            revised = revision.outcome == "revised"
            print_text("Revision:" if revised else "Not used:", indent=2)
            print_text(revision.text if revised else revision.raw, indent=4)
        self._call(revision.revise_request_id)

    def _pair(self, pair: Pair) -> None:
        outcome = pair.verdict.outcome if pair.verdict else f"not judged ({pair.note})"
        if pair.verdict and pair.note:
            outcome += f", set aside ({pair.note})"
        print_heading(f"Pair {pair.id} ({pair.kind}): {outcome}")
        print_text(f"first: {pair.first_name}\nsecond: {pair.second_name}", indent=2)
        if pair.verdict is None:
            return
        print_text(f"p(first is better) = {_number(pair.p)}", indent=2)
        for judge in pair.verdict.judges:
            print_text(f"{judge.name}: {judge.outcome}, p(first) = {_number(judge.p)}", indent=2)
        for verdict in pair.verdict.principles:
            self._verdict(verdict)

    def _verdict(self, verdict: PrincipleVerdict) -> None:
        for principle_id in verdict.principle_ids:
            self._principle(principle_id)
        flipped = "; the orders name different winners" if verdict.flipped else ""
        who = f"{verdict.judge}: " if verdict.judge else ""
        instead = "; the fallback judge decides" if verdict.superseded else ""
        print_text(
            f"{who}{verdict.outcome}, p(first) = {_number(verdict.p)}{flipped}{instead}", indent=4
        )
        for order in verdict.orders:
            self._order(order)
        for score in verdict.scores:
            self._score(score)

    def _score(self, score: AnswerScore) -> None:
        about = f"{score.statement} (weight {score.weight:g}): " if score.statement else ""
        print_text(
            f"{score.answer}: {about}{score.outcome}, {_number(score.value)} of 0 to 1, "
            f"mass {_number(score.mass)}",
            indent=4,
        )
        for request_id in (score.request_id, *score.more_request_ids):
            self._call(request_id, indent=4)

    def _order(self, order: OrderVerdict) -> None:
        shown = "first" if order.order == "ab" else "second"
        bounded = ", one label bounded" if order.bounded else ""
        voted = f", from {order.votes} short samples" if order.votes else ""
        print_text(
            f"order {order.order} ({shown} shown first): {order.outcome}, p(shown first) = "
            f"{_number(order.p_shown_first)}, mass {_number(order.mass)}{bounded}{voted}",
            indent=4,
        )
        for reasoning in order.reasonings:
            print_text(
                f"reasoning: {reasoning.outcome}, p(shown first) = {_number(reasoning.raw)}, "
                f"clamped {_number(reasoning.p)}",
                indent=4,
            )
            print_text(reasoning.text, indent=6)
        for request_id in (order.request_id, *order.more_request_ids):
            self._call(request_id, indent=4)

    def _principle(self, principle_id: str) -> None:
        text = self._principles.get(principle_id, "(not in the constitution of the run)")
        print_text(f"Principle {principle_id}: {text}", indent=2)

    def _call(self, request_id: str, indent: int = 2) -> None:
        if not request_id:
            return
        print_text(f"request {request_id}", indent)
        if not self._requests:
            return
        call = self._store.call(request_id)
        if call is None:
            print_text("(not in the store)", indent + 2)
            return
        print_text(f"to {call.fingerprint}, {call.request.sampling}", indent + 2)
        self._messages(call.request.messages, indent + 2)
        print_text(f"answer ({call.completion.outcome}, by {call.completion.model}):", indent + 2)
        print_text(call.completion.text, indent + 4)

    def _messages(self, messages: Sequence[Message], indent: int = 2) -> None:
        for message in messages:
            print_text(f"{message.role}:", indent)
            print_text(message.content, indent + 2)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
