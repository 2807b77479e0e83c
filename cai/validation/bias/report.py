"""Everything that a run's judged pairs say of its judge, in one record of counts and rates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cai.store import rows_for
from cai.store.export_rows import Pedigree
from cai.store.spending import ROLE_OF, RowSpending, spending
from cai.validation.bias.length import LengthFit, LengthRules, fits, length_rules
from cai.validation.bias.orders import OrderAccuracy, Orders, order_accuracy, orders
from cai.validation.bias.own import SelfPreference, self_preference
from cai.validation.bias.pairs import read_judged
from cai.validation.bias.principles import PrincipleInfluence, principle_influence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cai.records import Split
    from cai.store import RunStore
    from cai.validation.bias.records import Judged
    from cai.validation.records import AnnotatorKind
    from cai.validation.table import GoldMethod

__all__ = ["Cost", "Gold", "JudgeReport", "judge_report"]


@dataclass(frozen=True, slots=True)
class Gold:
    """The labels that verdicts are held against.

    Args:
        kind: who gave them; None where nobody did.
        pairs: judged pairs with a gold label.
        ties: those of them without a winner, which accuracy leaves out.
        disputed: pairs on which annotators are divided; they have no gold label.
    """

    kind: AnnotatorKind | None
    pairs: int
    ties: int
    disputed: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What the judge has used up over the whole life of the run, whatever splits are reported.

    Args:
        calls: answered.
        tokens: read and generated.
        usd_per_1000_pairs: dollars of the whole run; None when a call has no known price.
    """

    calls: int
    tokens: int
    usd_per_1000_pairs: float | None


@dataclass(frozen=True, slots=True)
class JudgeReport:
    """How good the judge of a run is, and what sways it.

    Args:
        judge: its fingerprint, without folders.
        splits: that were looked at.
        pairs: with a verdict or an honest non-answer.
        outcomes: of the verdicts, ties and non-answers among them.
        answers: single answers, by outcome.
        not_judged: pairs that were not shown to the judge, by the reason.
        gold: the labels that verdicts are held against.
        accuracy: of the verdicts, in both orders, in one, and the difference.
        orders: consistency and slots.
        length_fits: logistic models of the verdict on the length difference.
        length_rules: the judge beside rules that know lengths alone.
        own: self-preference.
        principles: those of most pairs first.
        cost: of the run.
    """

    judge: str
    splits: tuple[Split, ...]
    pairs: int
    outcomes: Mapping[str, int]
    answers: Mapping[str, int]
    not_judged: Mapping[str, int]
    gold: Gold
    accuracy: OrderAccuracy
    orders: Orders
    length_fits: tuple[LengthFit, ...]
    length_rules: LengthRules
    own: SelfPreference
    principles: tuple[PrincipleInfluence, ...]
    cost: Cost


def judge_report(
    store: RunStore,
    *splits: Split,
    method: GoldMethod = "majority",
    draws: int = 2000,
    seed: int = 0,
) -> JudgeReport:
    """Read the judged pairs of a run and say what they show.

    Pairs count alike: where people labelled a stratified sample, `cai.validation.report` weighs it.

    Args:
        store: the run.
        splits: whose pairs; all when absent.
        method: how several labels of a pair become one.
        draws: bootstrap samples of each interval.
        seed: of the draws.

    Raises:
        StoreError: the run cannot be read, or is a shard.
    """
    judged = read_judged(store, "report", *splits, method=method)
    pairs, options = judged.pairs, {"draws": draws, "seed": seed}
    return JudgeReport(
        judge=Pedigree.of(store).judge,
        splits=splits,
        pairs=len(pairs),
        outcomes=dict(Counter(pair.outcome for pair in pairs)),
        answers=judged.orders,
        not_judged=judged.not_judged,
        gold=_gold(judged),
        accuracy=order_accuracy(pairs, **options),
        orders=orders(pairs, **options),
        length_fits=fits(pairs),
        length_rules=length_rules(pairs, **options),
        own=self_preference(pairs, judged.authors, **options),
        principles=principle_influence(pairs, **options),
        cost=_cost(store),
    )


def _gold(judged: Judged) -> Gold:
    labels = [pair.gold for pair in judged.pairs if pair.gold is not None]
    return Gold(judged.gold_kind, len(labels), labels.count(0.5), judged.disputed)


def _cost(store: RunStore) -> Cost:
    totals = [total for total in store.totals() if ROLE_OF[total.stage] == "judge"]
    rows = rows_for(store, "report")
    pairs = sum(pair.verdict is not None for row, _ in rows for pair in row.pairs)
    return Cost(
        calls=sum(total.calls for total in totals),
        tokens=sum(total.prompt_tokens + total.completion_tokens for total in totals),
        usd_per_1000_pairs=spending(store, RowSpending(), pairs).usd_per_1000_pairs,
    )
