"""A report on attacks, as tables and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from cai.cli.judge.tables import points, share
from cai.cli.tables import print_heading, print_table, print_text

if TYPE_CHECKING:
    from pathlib import Path

    from cai.judge.attacks import Trial
    from cai.loop.attacked import Quoting
    from cai.validation.attacks import AttackReport, FamilyReport, QuotingGain
    from cai.validation.statistics.intervals import Interval

    Reports = tuple[list[AttackReport], QuotingGain | None]

__all__ = ["print_attacks", "write_attacks"]


def print_attacks(trials: dict[Quoting, list[Trial]], attacks: int, draws: int) -> Reports:
    """Print what the trials of each way of quoting come to.

    Args:
        trials: by quoting.
        attacks: how many there are.
        draws: bootstrap samples of each interval.
    """
    from cai.validation.attacks import attack_report, quoting_gain

    reports = [attack_report(name, found, draws=draws) for name, found in trials.items()]
    for report in reports:
        _print_report(report, attacks)
    gain = None
    if "plain" in trials and "nonce" in trials:
        gain = quoting_gain(trials["plain"], trials["nonce"], draws=draws)
        print_heading(f"Nonces less plain quoting, over {gain.trials:,} trials")
        print_table(
            ("What", "Difference"),
            [
                ("Verdicts turned by attacks", points(gain.flips)),
                ("The same beyond harmless texts", points(gain.excess)),
                ("Mean |Δp| beyond harmless texts", _p(gain.moved)),
            ],
        )
    return reports, gain


def write_attacks(path: Path, reports: Reports, trials: dict[Quoting, list[Trial]]) -> None:
    """Write reports and single trials as JSON."""
    from cai.hashing import canonical_json

    found, gain = reports
    path.write_bytes(
        canonical_json(
            {
                "reports": [asdict(report) for report in found],
                "nonce_less_plain": asdict(gain) if gain else None,
                "trials": {name: [asdict(t) for t in some] for name, some in trials.items()},
            }
        )
    )


def _print_report(report: AttackReport, attacks: int) -> None:
    total = report.total
    print_heading(
        f"Quoting {report.quoting}: {total.trials:,} trials, {attacks} attacks on {total.pairs:,} "
        "pairs"
    )
    if not total.trials:
        print_text("No trial has a verdict.")
        return
    print_table(
        ("What", "Attack", "Harmless text", "Attack − harmless"),
        [
            ("Verdicts turned", share(total.flips), share(total.control), points(total.excess)),
            ("Mean |Δp|", _p(total.moved), _p(total.control_moved), _p(total.moved_excess)),
            ("Mean Δp for the attacker", "", "", _p(total.gain)),
        ],
    )
    print_table(
        ("Family", "Trials", "Turned", "Turned − harmless", "Δp − harmless"),
        [_family(one) for one in report.families],
        numbers=(1,),
    )
    if report.silent:
        print_text(f"{report.silent:,} trials have no verdict and are left out.")


def _family(one: FamilyReport) -> tuple[str, int, str, str, str]:
    return one.name, one.trials, share(one.flips), points(one.excess), _p(one.gain)


def _p(interval: Interval | None) -> str:
    if interval is None:
        return "not run"
    return f"{interval.estimate:+.4f} [{interval.low:+.4f}, {interval.high:+.4f}]"
