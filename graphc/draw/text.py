"""Texts on drawings: names of strangers made harmless, formulas in the usual signs, numbers in few digits."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

NAME_LIMIT = 32
FORMULA_LIMIT = 44
ABOUT_LIMIT = 400
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def clean(text: Any) -> str:
    """``text`` on one line, without characters that XML, DOT or UTF-8 cannot hold.

    >>> clean("a\\n b\\x00c")
    'a b�c'
    """
    plain = str(text)
    if plain.isprintable() and "  " not in plain:
        return plain.strip()
    flat = re.sub(r"\s+", " ", plain).strip()
    return "".join(c if _drawable(c) else "�" for c in flat)


def _drawable(c: str) -> bool:
    code = ord(c)
    return (
        code >= 0x20
        and not 0x7F <= code < 0xA0
        and not 0xD800 <= code < 0xE000
        and code not in (0xFFFE, 0xFFFF)
    )


def shorten(text: Any, limit: int = NAME_LIMIT) -> str:
    """``text`` cleaned, its middle replaced by an ellipsis when it is longer than ``limit``.

    >>> shorten("encoder.block.attention.weight", 16)
    'encoder.…n.weight'
    """
    flat = clean(str(text)[: 4 * ABOUT_LIMIT] + str(text)[4 * ABOUT_LIMIT :][-ABOUT_LIMIT:])
    if len(flat) <= limit + 1:
        return flat
    return f"{flat[: limit // 2]}…{flat[-(limit - limit // 2) :]}"


def pretty(formula: str) -> str:
    """Python's arithmetic in the signs of print.

    >>> pretty("2*x**2 - sqrt(y)")
    '2·x² − √(y)'
    """
    text = re.sub(r"\*\*\(?(-?\d+)\)?(?![\d.])", lambda m: m.group(1).translate(_SUPERSCRIPTS), formula)
    text = re.sub(r"(?<!\*)\s*\*\s*(?!\*)", "·", text).replace("**", "^")
    text = re.sub(r"\bsqrt\(", "√(", text)
    text = re.sub(r"\.T\b", "ᵀ", text)
    text = re.sub(r"(?<=[\s(,])-|^-", "−", text)
    return text.replace("<=", "≤").replace(">=", "≥").replace("!=", "≠")


def number(value: Any) -> str:
    """A scalar in at most four significant digits.

    >>> number(-12.0), number(0.73105857), number(True)
    ('−12', '0.7311', 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()
    return re.sub(r"e([+-])0*(\d)", r"e\1\2", f"{value:.4g}").replace("e+", "e").replace("-", "−")


def array_text(value: Any) -> str:
    """An array in brief: all of it up to six elements, its range beyond.

    >>> array_text(np.array([1.0, -2.5])), array_text(np.arange(12.0).reshape(3, 4))
    ('[1, −2.5]', '0 … 11')
    """
    array = np.asarray(value)
    if array.size == 0:
        return "empty"
    if array.ndim == 0:
        return number(array.item())
    if array.size <= 6 and array.ndim == 1:
        return f"[{', '.join(number(v) for v in array.tolist())}]"
    if array.size <= 4:
        return f"[{'; '.join(array_text(row) for row in array)}]"
    low, high = number(array.min().item()), number(array.max().item())
    return f"all {low}" if low == high else f"{low} … {high}"


def count_text(count: int, noun: str) -> str:
    """A count with its noun.

    >>> count_text(1, "op"), count_text(66048, "parameter")
    ('1 op', '66,048 parameters')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def bytes_text(count: Any) -> str:
    """A size in bytes for reading; symbolic sizes as they are.

    >>> bytes_text(262144), bytes_text(100)
    ('256 KiB', '100 B')
    """
    if not isinstance(count, int):
        return f"{count} B"
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if count >= 1 << power:
            return f"{count / (1 << power):.4g} {unit}"
    return f"{count} B"
