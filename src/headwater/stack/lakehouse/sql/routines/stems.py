"""``word_stem``: English words without their endings, by Martin Porter's second algorithm, which Trino uses.

https://snowballstem.org/algorithms/english/stemmer.html describes the steps, which have the same numbers here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from headwater.stack.lakehouse.sql.routines.model import Routine, RoutineFailed

_VOWELS = frozenset("aeiouy")
_DOUBLES = ("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt")
_BEFORE_LI = frozenset("cdeghkmnrt")
_WHOLE = {
    **{"skis": "ski", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "idly": "idl"},
    **{"gently": "gentl", "ugly": "ugli", "early": "earli", "only": "onli", "singly": "singl"},
    **dict.fromkeys(("sky", "news", "howe", "atlas", "cosmos", "bias", "andes")),
}
_LEFT = frozenset(("inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"))
_LANGUAGES = (
    *("ca", "da", "de", "en", "es", "eu", "fi", "fr", "hu", "hy", "ir", "it", "lt", "nl", "no", "pt", "ro", "ru"),
    *("sv", "tr"),
)
_STEP_2 = {
    **{"tional": "tion", "enci": "ence", "anci": "ance", "abli": "able", "entli": "ent", "izer": "ize"},
    **{"ization": "ize", "ational": "ate", "ation": "ate", "ator": "ate", "alism": "al", "aliti": "al", "alli": "al"},
    **{"fulness": "ful", "ousli": "ous", "ousness": "ous", "iveness": "ive", "iviti": "ive", "biliti": "ble"},
    **{"bli": "ble", "ogi": "og", "fulli": "ful", "lessli": "less", "li": ""},
}
_STEP_3 = {
    **{"tional": "tion", "ational": "ate", "alize": "al", "icate": "ic", "iciti": "ic", "ical": "ic"},
    **{"ful": "", "ness": "", "ative": ""},
}
_STEP_4 = dict.fromkeys(
    (
        *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ism", "ate", "iti", "ous"),
        *("ive", "ize", "ion"),
    ),
    "",
)


@lru_cache(maxsize=4096)
def english_stem(word: str) -> str:
    """The stem of a word in lower case.

    >>> english_stem("generally"), english_stem("running"), english_stem("skies")
    ('general', 'run', 'sky')
    """
    if word in _WHOLE:
        return _WHOLE[word] or word
    if len(word) < 3:
        return word
    marked = _marked(word.removeprefix("'"))
    first = _region(marked, next((len(s) for s in ("gener", "commun", "arsen") if marked.startswith(s)), 0))
    second = _after_syllable(marked, first)
    stem = _step_1a(_without(marked, ("'s'", "'s", "'")))
    if stem not in _LEFT:
        stem = _step_1c(_step_1b(stem, first))
        stem = _replaced(stem, _STEP_2, first, second)
        stem = _replaced(stem, _STEP_3, first, second)
        stem = _replaced(stem, _STEP_4, second, second)
        stem = _step_5(stem, first, second)
    return stem.replace("Y", "y") if marked != word.removeprefix("'") else stem


def _marked(word: str) -> str:
    """A y that is a consonant becomes Y: the first letter, and behind a vowel."""
    letters = list(word)
    for i, letter in enumerate(letters):
        if letter == "y" and (i == 0 or letters[i - 1] in _VOWELS):
            letters[i] = "Y"
    return "".join(letters)


def _region(word: str, known: int) -> int:
    return known or _after_syllable(word, 0)


def _after_syllable(word: str, start: int) -> int:
    """Where the text behind the first consonant behind a vowel begins."""
    for i in range(start + 1, len(word)):
        if word[i - 1] in _VOWELS and word[i] not in _VOWELS:
            return i + 1
    return len(word)


def _without(word: str, endings: tuple[str, ...]) -> str:
    found = next((ending for ending in endings if word.endswith(ending)), "")
    return word[: len(word) - len(found)]


def _has_vowel(text: str) -> bool:
    return any(letter in _VOWELS for letter in text)


def _step_1a(word: str) -> str:
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")) and _has_vowel(word[:-2]):
        return word[:-1]
    return word


def _step_1b(word: str, first: int) -> str:
    for ending in ("eedly", "eed"):
        if word.endswith(ending):
            return word[: len(word) - len(ending)] + "ee" if len(word) - len(ending) >= first else word
    stem = _without(word, ("ingly", "edly", "ing", "ed"))
    if stem == word or not _has_vowel(stem):
        return word
    if stem.endswith(("at", "bl", "iz")):
        return stem + "e"
    if stem.endswith(_DOUBLES):
        return stem[:-1]
    return stem + "e" if len(stem) == first and _is_short(stem) else stem


def _is_short(word: str) -> bool:
    """Whether the last syllable is a short one."""
    if len(word) == 2:
        return word[0] in _VOWELS and word[1] not in _VOWELS
    if len(word) < 3:
        return False
    before, vowel, last = tuple(word[-3:])
    return before not in _VOWELS and vowel in _VOWELS and last not in _VOWELS and last not in "wxY"


def _step_1c(word: str) -> str:
    if len(word) > 2 and word[-1] in "yY" and word[-2] not in _VOWELS:
        return word[:-1] + "i"
    return word


def _replaced(word: str, endings: Mapping[str, str], region: int, second: int) -> str:
    """The longest of the endings, replaced if it stands in the region."""
    ending = next((e for e in sorted(endings, key=len, reverse=True) if word.endswith(e)), "")
    stem = word[: len(word) - len(ending)]
    if not ending or len(stem) < region:
        return word
    before = stem[-1:]
    misfits = (
        (ending == "ogi" and before != "l")
        or (ending == "li" and before not in _BEFORE_LI)
        or (ending == "ative" and len(stem) < second)
        or (ending == "ion" and before not in ("s", "t"))
    )
    return word if misfits else stem + endings[ending]


def _step_5(word: str, first: int, second: int) -> str:
    stem = word[:-1]
    if word.endswith("e") and (len(stem) >= second or (len(stem) >= first and not _is_short(stem))):
        return stem
    return stem if word.endswith("ll") and len(stem) >= second else word


def word_stem(word: str, language: str) -> str:
    """The stem of a word of a language; only English is known here."""
    if language == "en":
        return english_stem(word)
    if language in _LANGUAGES:
        message = f"word_stem of the language '{language}' is not supported by Headwater's local Athena"
        raise RoutineFailed(message, "NOT_SUPPORTED")
    raise RoutineFailed(f"Unknown stemmer language: {language}")


ROUTINES = (Routine("hw_word_stem", word_stem, ["VARCHAR", "VARCHAR"], "VARCHAR"),)
