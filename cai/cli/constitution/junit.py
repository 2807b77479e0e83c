"""Results of test cases as JUnit XML, in the form that Jenkins' schema junit-10.xsd describes.

That is what CI servers have in common. One suite stands for a file of cases, because ids are unique
within a file; the class of a case is its principle. It has no times: answers may be remembered.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from cai.cli.output import plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cai.cli.constitution.testing_report import Subject
    from cai.constitution import Constitution
    from cai.judge.cases import CaseResult

__all__ = ["write_junit"]

# Beside controls and surrogates, which `plain` replaces, XML 1.0 (§2.2) forbids these two.
_FORBIDDEN = re.compile("[\ufffe\uffff]")


def write_junit(path: Path, results: Sequence[CaseResult], tested: Subject) -> None:
    """Write results to a file, which is replaced."""
    constitution = tested.constitution
    facts = {
        "constitution": constitution.label,
        "hash": constitution.hash,
        "judge": tested.judge,
    }
    root = ET.Element("testsuites", {"name": _text(constitution.label), **_numbers(results)})
    files: dict[str, list[CaseResult]] = {}
    for result in results:
        files.setdefault(result.found.source, []).append(result)
    for source, found in files.items():
        silent = sum(result.passed is None for result in found)
        suite = ET.SubElement(
            root,
            "testsuite",
            {"name": _text(source), **_numbers(found), "skipped": str(silent)},
        )
        properties = ET.SubElement(suite, "properties")
        for name, value in facts.items():
            ET.SubElement(properties, "property", {"name": name, "value": _text(value)})
        for result in found:
            _add_case(suite, result, tested)
    ET.indent(root)
    path.write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def _numbers(results: Sequence[CaseResult]) -> dict[str, str]:
    failed = sum(result.passed is False for result in results)
    return {"tests": str(len(results)), "failures": str(failed), "errors": "0"}


def _add_case(suite: ET.Element, result: CaseResult, tested: Subject) -> None:
    case = result.found.case
    name = case.principle or tested.constitution.name
    element = ET.SubElement(suite, "testcase", {"classname": _text(name), "name": _text(case.id)})
    if result.passed is None:
        message = result.reason or f"The judge gave no verdict: {result.outcome}."
        ET.SubElement(element, "skipped", {"message": _text(message)})
        return
    if not result.passed:
        message = _message(result, tested.tie_band)
        failure = ET.SubElement(
            element, "failure", {"type": result.outcome, "message": _text(message)}
        )
        failure.text = _text(_details(result, tested.constitution))
    if result.flaky:
        out = ET.SubElement(element, "system-out")
        out.text = f"flaky: {', '.join(result.flaky)}"


def _message(result: CaseResult, tie_band: float) -> str:
    text = f"p = {result.p:.3f}, which is not above {0.5 + tie_band:g}"
    if result.orders is None:
        return text
    first, second = result.orders
    return f"{text}; {first:.3f} with the better answer shown first, {second:.3f} shown second"


def _details(result: CaseResult, constitution: Constitution) -> str:
    """The case as it was put to the judge."""
    case = result.found.case
    rule = constitution[case.principle].text if case.principle else "all principles"
    turns = [(turn.role.capitalize(), turn.content) for turn in case.prompt]
    if case.better is not None and case.worse is not None:
        answers = [("Better", case.better), ("Worse", case.worse)]
    else:
        expected = "should violate it" if case.violates else "should not violate it"
        answers = [(f"Answer, which {expected}", case.answer or "")]
    lines = [("Principle", rule), *turns, *answers]
    return "\n".join(f"{name}: {text}" for name, text in lines)


def _text(text: str) -> str:
    """Text that XML 1.0 can hold and that moves no cursor where the file is printed."""
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", plain(text))
