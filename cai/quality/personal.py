"""Patterns of personal data, with the checksums that tell a card from any long number."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["luhn", "masked", "personal_data", "valid_iban"]

# The lengths are those that RFC 5321 allows; without them a long line takes quadratic time.
_EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+%-]{0,63}@(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,8}[A-Za-z]{2,24}\b"
)
_EXAMPLE = re.compile(
    r"@(?:[\w-]+\.)*(?:example\.(?:com|org|net)|[\w-]+\.(?:example|test|invalid))$"
)
_CARD = re.compile(r"(?<![\d.-])(?:\d[ -]?){12,18}\d(?![\d-])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_IPV6 = re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}(?::?[0-9a-fA-F]{1,4}){1,4}(?![\w:])")
# International with +, or North American with its usual separators.
_PHONE = re.compile(
    r"(?<![\w+])(?:\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?(?:\d{1,4}[ .-]?){2,4}\d{2,4}"
    r"|(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[.-])\d{3}[ .-]\d{4})(?!\w|[.-]\d)"
)
_FICTIONAL = re.compile(r"555\D?01\d\d$")
_DIGIT = re.compile(r"\d")


def personal_data(text: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of everything that looks like personal data.

    What is reserved for examples is none: example.com, private and documentation addresses, and
    telephone numbers 555-01xx.
    """
    if "@" in text:
        for found in _EMAIL.findall(text):
            if not _EXAMPLE.search(found.lower()):
                yield "e-mail", found
    if not _DIGIT.search(text):
        return
    cards = [found for found in _CARD.findall(text) if luhn(found)]
    yield from (("card", found) for found in cards)
    yield from (("IBAN", found) for found in _IBAN.findall(text) if valid_iban(found))
    for pattern in (_IPV4, _IPV6):
        yield from (("IP address", found) for found in pattern.findall(text) if _public(found))
    for match in _PHONE.finditer(text):
        number = match.group()
        if 8 <= len(_DIGIT.findall(number)) <= 15 and not _FICTIONAL.search(number):
            yield "phone", number


def luhn(number: str) -> bool:
    """Whether 13 to 19 digits, not all the same, end in the right check digit (ISO/IEC 7812-1)."""
    digits = [int(c) for c in number if c.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = [d * 2 - 9 * (d > 4) for d in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def valid_iban(text: str) -> bool:
    """Whether an IBAN leaves the remainder 1 modulo 97 (ISO 13616)."""
    plain = text.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(c, 36)) for c in turned)) % 97 == 1


def masked(value: str) -> str:
    """The first two characters and the last, so that a report does not spread what it found."""
    return f"{value[:2]}\N{HORIZONTAL ELLIPSIS}{value[-1:]}"


def _public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False
