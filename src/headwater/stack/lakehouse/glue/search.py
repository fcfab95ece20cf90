"""Glue's search for tables, over the words and properties of all of them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from headwater.stack.lakehouse.catalog.store import Catalog
from headwater.stack.lakehouse.errors import invalid_input
from headwater.stack.lakehouse.glue.ordering import ordered_table
from headwater.stack.lakehouse.glue.paging import decode_token, encode_token
from headwater.stack.lakehouse.glue.validation import foreign_only, optional_text, page_size
from headwater.stack.lakehouse.model import GlueJson, Scope

_PAGE = 100
_TEXTS = ("DatabaseName", "Name", "Description", "Owner", "TableType", "CatalogId")
_TIMES = ("CreateTime", "UpdateTime", "LastAccessTime")
_COMPARATORS: dict[str, Callable[[Any, Any], bool]] = {
    "EQUALS": operator.eq,
    "GREATER_THAN": operator.gt,
    "LESS_THAN": operator.lt,
    "GREATER_THAN_EQUALS": operator.ge,
    "LESS_THAN_EQUALS": operator.le,
}


def search_tables(catalog: Catalog, scope: Scope, request: GlueJson) -> GlueJson:
    """``SearchTables``: ``SearchText`` in names, descriptions, columns and parameters; ``Filters`` on properties."""
    wanted = (optional_text(request, "SearchText") or "").lower()
    found = [
        table
        for database in (() if foreign_only(request) else catalog.databases(scope))
        for table in catalog.tables(scope, database["Name"])
        if _mentions(table, wanted) and all(_passes(table, item) for item in request.get("Filters") or [])
    ]
    for criterion in request.get("SortCriteria") or []:
        field, descending = str(criterion.get("FieldName")), criterion.get("Sort") == "DESC"
        found.sort(key=lambda table: _sortable(table, field), reverse=descending)
    after = decode_token(request.get("NextToken"))
    names = [(table["DatabaseName"], table["Name"]) for table in found]
    start = names.index((after[0], after[1])) + 1 if after is not None and after[:2] in names else 0
    size = page_size(request, _PAGE)
    answer: GlueJson = {"TableList": [ordered_table(table) for table in found[start : start + size]]}
    if start + size < len(found):
        answer["NextToken"] = encode_token(names[start + size - 1])
    return answer


def _mentions(table: GlueJson, wanted: str) -> bool:
    """Whether a text is part of one of a table's; in quotes it must be one of them as a whole."""
    texts = [text.lower() for text in _texts(table)]
    if len(wanted) > 1 and wanted[0] == wanted[-1] == '"':
        return wanted[1:-1] in texts
    return any(wanted in text for text in texts)


def _texts(table: GlueJson) -> list[str]:
    descriptor = table.get("StorageDescriptor") or {}
    columns = [*(descriptor.get("Columns") or []), *(table.get("PartitionKeys") or [])]
    words = [table["Name"], table["DatabaseName"], table.get("Description") or "", table.get("Owner") or ""]
    words += [str(column.get(part) or "") for column in columns for part in ("Name", "Comment")]
    return words + [str(text) for pair in (table.get("Parameters") or {}).items() for text in pair]


def _passes(table: GlueJson, condition: GlueJson) -> bool:
    key, value = str(condition.get("Key") or ""), str(condition.get("Value") or "")
    compare = _COMPARATORS[condition.get("Comparator") or "EQUALS"]
    if key in _TIMES:
        try:
            return compare(float(table.get(key) or 0), float(value))
        except ValueError as error:
            message = f"{key} is compared with seconds since 1970 by Headwater's local Glue, not with {value!r}."
            raise invalid_input(message) from error
    own = table.get(key) if key in _TEXTS else (table.get("Parameters") or {}).get(key)
    return own is not None and compare(str(own).lower(), value.lower())


def _sortable(table: GlueJson, field: str) -> tuple[float, str]:
    if field in _TIMES:
        return float(table.get(field) or 0), ""
    if field not in _TEXTS:
        raise invalid_input(f"Sorting by {field} is not supported by Headwater's local Glue.")
    return 0, str(table.get(field) or "").lower()
