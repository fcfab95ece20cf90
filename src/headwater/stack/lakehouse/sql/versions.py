"""``FOR VERSION AS OF`` and ``FOR TIMESTAMP AS OF``: which version of a table a query asks for."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlglot import exp

from headwater.stack.lakehouse.errors import Unsupported
from headwater.stack.lakehouse.sql.context import Context, Moment


def moment(node: exp.Table, context: Context) -> Moment:
    """The moment of a table in FROM, given as a literal (or ``current_timestamp``); ``None`` is now."""
    version = node.args.get("version")
    if version is None:
        return None
    value = version.expression
    if str(version.args.get("kind", "")).upper() != "AS OF" or value is None:
        raise Unsupported("FOR VERSION and FOR TIMESTAMP but with AS OF")
    if str(version.this).upper() == "VERSION":
        if isinstance(value, exp.Literal):
            return value.name if value.is_string else int(value.name)
        raise Unsupported("FOR VERSION AS OF an expression")
    if isinstance(value, exp.CurrentTimestamp):
        return context.now.replace(tzinfo=timezone.utc)
    if isinstance(value, exp.Cast) and isinstance(value.this, exp.Literal):
        return _time(value.this.name)
    raise Unsupported("FOR TIMESTAMP AS OF an expression that is no literal")


def _time(text: str) -> datetime:
    plain, _, zone = text.strip().rpartition(" ") if text.strip()[-1:].isalpha() else (text.strip(), "", "UTC")
    try:
        return datetime.fromisoformat(plain).replace(tzinfo=ZoneInfo(zone))
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise Unsupported(f"FOR TIMESTAMP AS OF {text!r}") from error
