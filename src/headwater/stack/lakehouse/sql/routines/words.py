"""Functions of text that look at single characters: distances, checks, Unicode, Java's format()."""

from __future__ import annotations

import unicodedata

from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed

_MOST_WORK = 1_000_000


def levenshtein(a: str, b: str) -> int:
    """The edit distance in characters.

    >>> levenshtein("kitten", "sitting")
    3
    """
    shorter, longer = sorted((len(a), len(b)))
    if longer * (shorter - 1) > _MOST_WORK:
        raise RoutineFailed("The combined inputs for Levenshtein distance are too large")
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (left != right))
    return row[-1]


def _hamming(a: str, b: str) -> int:
    if len(a) != len(b):
        raise RoutineFailed("The input strings to hamming_distance function must have the same length")
    return sum(left != right for left, right in zip(a, b, strict=True))


def luhn(text: str) -> bool:
    """Whether the digits end in their check digit.

    >>> luhn("79927398713")
    True
    """
    if not text:
        return False
    if not text.isascii() or not text.isdigit():
        raise RoutineFailed("Input String must contain only digits")
    doubled = (divmod(int(digit) * (1 + i % 2), 10) for i, digit in enumerate(reversed(text)))
    return sum(tens + ones for tens, ones in doubled) % 10 == 0


_CODES = {c: d for d, letters in enumerate(("BFPV", "CGJKQSXZ", "DT", "L", "MN", "R"), 1) for c in letters}


def soundex(text: str) -> str:
    """The American Soundex code: H and W do not separate equal codes, vowels do.

    >>> soundex("Tymczak"), soundex("Pfister"), soundex("Ashcraft")
    ('T522', 'P236', 'A261')
    """
    letters = [c for c in text.upper() if c.isalpha()]
    if not letters:
        return ""
    if any(not c.isascii() for c in letters):
        raise RoutineFailed("The character is not mapped")
    code, last = letters[0], _CODES.get(letters[0], 0)
    for letter in letters[1:]:
        digit = _CODES.get(letter, 0)
        if digit and digit != last:
            code += str(digit)
        if letter not in "HW":
            last = digit
    return (code + "000")[:4]


def _normalize(text: str, form: str) -> str:
    if form not in ("NFC", "NFD", "NFKC", "NFKD"):
        raise RoutineFailed("Normalization form must be one of [NFD, NFC, NFKD, NFKC]")
    return unicodedata.normalize(form, text)  # type: ignore[arg-type]  # checked above


def _strpos(text: str, part: str, instance: int) -> int:
    """The position of the n-th occurrence, from the end if negative; occurrences may overlap."""
    if instance == 0:
        raise RoutineFailed("'instance' must be a positive or negative number.")
    if not part:
        return 1
    position = -1 if instance > 0 else len(text)
    for _ in range(abs(instance)):
        position = text.find(part, position + 1) if instance > 0 else text.rfind(part, 0, position + len(part) - 1)
        if position < 0:
            return 0
    return position + 1


def _to_base(value: int, radix: int) -> str:
    _check_radix(radix)
    digits, rest = "", abs(value)
    while rest or not digits:
        rest, digit = divmod(rest, radix)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return f"-{digits}" if value < 0 else digits


def _from_base(text: str, radix: int) -> int:
    _check_radix(radix)
    try:
        # Digits only: Python would also take 0x1F, 1_0 and spaces.
        digits = text[1:] if text[:1] in ("+", "-") else text
        value = int(text, radix) if digits and all(int(digit, 36) < radix for digit in digits) else None
    except ValueError:
        value = None
    if value is None or not -(2**63) <= value < 2**63:
        raise RoutineFailed(f"Not a valid base-{radix} number: {text}")
    return value


def _check_radix(radix: int) -> None:
    if not 2 <= radix <= 36:
        raise RoutineFailed("Radix must be between 2 and 36")


def _pad(text: str, size: int, pad: str, left: bool) -> str:
    if not 0 <= size <= 2**31 - 1:
        raise RoutineFailed("Target length must be in the range [0..2147483647]")
    if not pad:
        raise RoutineFailed("Padding string must not be empty")
    filling = (pad * (max(size - len(text), 0) // len(pad) + 1))[: max(size - len(text), 0)]
    return filling + text[:size] if left else text[:size] + filling


def _replace(text: str, search: str, by: str) -> str:
    """An empty search text stands between all characters, as in Java."""
    return text.replace(search, by)


def _entries(text: str, entry: str, pair: str) -> list[tuple[str, str]]:
    """Keys and values, in their order; the text may end in a delimiter."""
    if not entry or not pair:
        raise RoutineFailed(f"{'keyValueDelimiter' if entry else 'entryDelimiter'} is empty")
    if entry == pair:
        raise RoutineFailed("entryDelimiter and keyValueDelimiter must not be the same")
    found = []
    parts = text.split(entry)
    for part in parts[:-1] if parts[-1] == "" else parts:
        if part.count(pair) != 1:
            raise RoutineFailed(f"Key-value delimiter must appear exactly once in each entry. Bad input: '{part}'")
        key, _, value = part.partition(pair)
        found.append((key, value))
    return found


def _split_to_map(text: str, entry: str, pair: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in _entries(text, entry, pair):
        if key in found:
            raise RoutineFailed(f"Duplicate keys ({key}) are not allowed")
        found[key] = value
    return found


def _split_to_multimap(text: str, entry: str, pair: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in _entries(text, entry, pair):
        found.setdefault(key, []).append(value)
    return found


ROUTINES = (
    Routine("hw_split_to_map", _split_to_map, ["VARCHAR"] * 3, "MAP(VARCHAR, VARCHAR)"),
    Routine("hw_split_to_multimap", _split_to_multimap, ["VARCHAR"] * 3, "MAP(VARCHAR, VARCHAR[])"),
    Routine("hw_levenshtein", levenshtein, ["VARCHAR", "VARCHAR"], "BIGINT"),
    Routine("hw_hamming", _hamming, ["VARCHAR", "VARCHAR"], "BIGINT"),
    Routine("hw_luhn", luhn, ["VARCHAR"], "BOOLEAN"),
    Routine("hw_soundex", soundex, ["VARCHAR"], "VARCHAR"),
    Routine("hw_normalize", _normalize, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    Routine("hw_strpos", _strpos, ["VARCHAR", "VARCHAR", "BIGINT"], "BIGINT"),
    Routine("hw_to_base", _to_base, ["BIGINT", "BIGINT"], "VARCHAR"),
    Routine("hw_from_base", _from_base, ["VARCHAR", "BIGINT"], "BIGINT"),
    Routine("hw_lpad", lambda s, n, p: _pad(s, n, p, True), ["VARCHAR", "BIGINT", "VARCHAR"], "VARCHAR"),
    Routine("hw_rpad", lambda s, n, p: _pad(s, n, p, False), ["VARCHAR", "BIGINT", "VARCHAR"], "VARCHAR"),
    Routine("hw_replace", _replace, ["VARCHAR", "VARCHAR", "VARCHAR"], "VARCHAR"),
)
