"""The stack's own error: it stands below the rest of Headwater and therefore does not use Headwater's."""

from __future__ import annotations


class StackFault(Exception):
    """The stack could not do something; ``hint`` says what to do about it.

    >>> StackFault("no free port", hint="close something").hint
    'close something'
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
