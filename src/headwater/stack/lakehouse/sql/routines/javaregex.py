"""Java's regular expressions written as Python reads them: its classes, its escapes, and flags in the middle."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import lru_cache

from headwater.stack.lakehouse.sql.routines.model import RoutineFailed

_HORIZONTAL = r" \t\xa0\u1680\u180e\u2000-\u200a\u202f\u205f\u3000"
_VERTICAL = r"\n\x0b\f\r\x85\u2028\u2029"
_CLASSES = {"d": "0-9", "w": "A-Za-z0-9_", "s": r" \t\n\x0b\f\r", "h": _HORIZONTAL, "v": _VERTICAL}
_POSIX = {
    **{"Lower": "a-z", "Upper": "A-Z", "ASCII": r"\x00-\x7f", "Alpha": "A-Za-z", "Digit": "0-9", "Alnum": "A-Za-z0-9"},
    **{"Punct": r"!-/:-@\[-`{-~", "Graph": "!-~", "Print": " -~", "Blank": r" \t", "Cntrl": r"\x00-\x1f\x7f"},
    **{"XDigit": "0-9a-fA-F", "Space": r" \t\n\x0b\f\r"},
}
_ANCHORS = {"z": r"\Z", "Z": r"(?=\n?\Z)", "A": r"\A", "b": r"\b", "B": r"\B"}
_PLAIN = {"t": r"\t", "n": r"\n", "r": r"\r", "f": r"\f", "a": r"\a", "e": r"\x1b"}


@lru_cache(maxsize=64)
def _category(name: str) -> str:
    """The characters of a general category such as ``L`` or ``Lu``, as ranges."""
    found: list[str] = []
    start = -1
    for point in range(sys.maxunicode + 2):
        inside = point <= sys.maxunicode and unicodedata.category(chr(point)).startswith(name)
        if inside and start < 0:
            start = point
        elif not inside and start >= 0:
            found.append(rf"\U{start:08x}-\U{point - 1:08x}")
            start = -1
    return "".join(found)


_CATEGORIES = {first + second for first in "LMNPSZC" for second in ["", *"ultomncdeskfip"]}


def _unsupported(text: str) -> RoutineFailed:
    message = f"the regular expression {text} is not supported by Headwater's local Athena"
    return RoutineFailed(message, "NOT_SUPPORTED")


class _Translator:
    """One pass over a pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._place = 0
        self._open: list[int] = [0]

    def translate(self) -> str:
        """The whole pattern."""
        found: list[str] = []
        while self._place < len(self._pattern):
            found.append(self._item())
        return "".join(found) + ")" * self._open[0]

    def _take(self, count: int = 1) -> str:
        text = self._pattern[self._place : self._place + count]
        self._place += count
        return text

    def _item(self) -> str:
        character = self._take()
        if character == "\\":
            return self._escape(inside=False)
        if character == "[":
            return self._class()
        if character == "(":
            return self._group()
        if character == ")":
            flags = self._open.pop() if len(self._open) > 1 else 0
            return ")" * (flags + 1)
        return character

    def _group(self) -> str:
        flags = re.compile(r"\?([a-zA-Z]*)(-[a-zA-Z]+)?\)").match(self._pattern, self._place)
        if flags is not None:
            self._place = flags.end()
            self._check_flags(flags[0])
            self._open[-1] += 1
            return f"(?{flags[1]}{flags[2] or ''}:"
        self._open.append(0)
        named = re.compile(r"\?<([A-Za-z]\w*)>").match(self._pattern, self._place)
        if named is not None:
            self._place = named.end()
            return f"(?P<{named[1]}>"
        scoped = re.compile(r"\?([a-zA-Z]+)(?:-[a-zA-Z]+)?:").match(self._pattern, self._place)
        if scoped is not None:
            self._check_flags(scoped[0])
        return "("

    def _check_flags(self, flags: str) -> None:
        if set(flags) & set("dUu"):
            raise _unsupported(self._pattern)

    def _escape(self, inside: bool) -> str:
        """What follows a backslash, in a class or outside of one."""
        letter = self._take()
        if letter == "Q":
            text, _, rest = self._pattern[self._place :].partition("\\E")
            self._place = len(self._pattern) - len(rest)
            return re.escape(text)
        if letter.lower() in _CLASSES:
            return self._set(_CLASSES[letter.lower()], letter.isupper(), inside)
        if letter in "pP" and letter:
            return self._set(self._property(), letter == "P", inside)
        if letter == "x" and self._pattern[self._place : self._place + 1] == "{":
            digits, _, _ = self._pattern[self._place + 1 :].partition("}")
            self._place += len(digits) + 2
            return re.escape(chr(int(digits, 16)))
        if letter == "x":
            return rf"\x{self._take(2)}"
        if letter == "u":
            return rf"\u{self._take(4)}"
        if letter == "0":
            octal = re.compile(r"[0-3]?[0-7]{1,2}").match(self._pattern, self._place)
            self._place = octal.end() if octal else self._place
            return re.escape(chr(int(octal[0] if octal else "0", 8)))
        if letter in _PLAIN:
            return _PLAIN[letter]
        if not inside:
            return self._outside(letter)
        if letter.isalnum() or not letter:
            raise _unsupported(self._pattern)
        return re.escape(letter)

    def _outside(self, letter: str) -> str:
        if letter in _ANCHORS:
            return _ANCHORS[letter]
        if letter == "R":
            return rf"(?:\r\n|[{_VERTICAL}])"
        if letter == "k":
            name = re.compile(r"<(\w+)>").match(self._pattern, self._place)
            if name is not None:
                self._place = name.end()
                return f"(?P={name[1]})"
        if letter.isdigit():
            return f"(?:\\{letter})"
        if letter.isalpha() or not letter:
            raise _unsupported(self._pattern)
        return re.escape(letter)

    @staticmethod
    def _set(members: str, negated: bool, inside: bool) -> str:
        if inside and negated:
            return f"\0^{members}\0"
        return members if inside else f"[{'^' if negated else ''}{members}]"

    def _property(self) -> str:
        if self._pattern[self._place : self._place + 1] == "{":
            name, _, _ = self._pattern[self._place + 1 :].partition("}")
            self._place += len(name) + 2
        else:
            name = self._take()
        if name in _POSIX:
            return _POSIX[name]
        if name not in _CATEGORIES or not _category(name):
            raise _unsupported(self._pattern)
        return _category(name)

    def _class(self) -> str:
        """``[…]`` with unions and intersections: one character that all parts of an intersection accept."""
        negated = self._pattern[self._place : self._place + 1] == "^"
        self._place += negated
        sides: list[list[str]] = [[]]
        plain: list[str] = []
        first = True
        while True:
            if self._place >= len(self._pattern):
                raise RoutineFailed(f"Invalid regular expression: {self._pattern} (unclosed class)")
            character = self._take()
            if character == "]" and not first:
                break
            if character == "[":
                sides[-1].append(self._class())
            elif character == "&" and self._pattern[self._place : self._place + 1] == "&":
                self._place += 1
                self._close(plain, sides[-1])
                sides.append([])
            else:
                text = self._escape(inside=True) if character == "\\" else character
                if text.startswith("\0"):
                    sides[-1].append(f"[{text.strip(chr(0))}]")
                else:
                    plain.append("\\]" if text == "]" else text)
            first = False
        self._close(plain, sides[-1])
        if len(sides) == 1 and len(sides[0]) == 1 and sides[0][0].startswith("[") and not sides[0][0].startswith("[^"):
            return f"[^{sides[0][0][1:]}" if negated else sides[0][0]
        unions = [f"(?:{'|'.join(parts)})" for parts in sides if parts]
        ahead = "".join(f"(?={union})" for union in unions[1:])
        whole = f"(?:{ahead}{unions[0]})"
        return rf"(?:(?!{whole})[\s\S])" if negated else whole

    @staticmethod
    def _close(plain: list[str], side: list[str]) -> None:
        if plain:
            text = "".join(plain)
            side.append(f"[{chr(92) + text if text.startswith('^') else text}]")
            plain.clear()


def python_pattern(pattern: str) -> str:
    """A pattern of Java as Python reads it. Raises ``RoutineFailed`` for what has no counterpart.

    >>> python_pattern(r"[a-z&&[^b]](?<n>x)")
    '(?:(?=(?:[^b]))(?:[a-z]))(?P<n>x)'
    """
    return _Translator(pattern).translate()
