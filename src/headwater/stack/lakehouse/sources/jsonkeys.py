"""Which key of a JSON object is a column's: the properties of OpenX's SerDe rename keys and fold their case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headwater.stack.lakehouse.sql.expression import quote_text


@dataclass(frozen=True)
class Keys:
    """``dots`` finds ``a.b`` for the column ``a_b``; ``names`` maps columns to keys; ``openx`` forgives more values."""

    openx: bool
    any_case: bool = True
    dots: bool = False
    names: Mapping[str, str] = field(default_factory=dict)
    timestamps: str = ""

    @classmethod
    def of(cls, serde: str, parameters: Mapping[str, str]) -> Keys:
        """What a table's SerDe and its properties say; Hive's own SerDe has none of them."""
        if "openx" not in serde.lower():
            return cls(openx=False, timestamps=parameters.get("timestamp.formats", ""))
        lowered = {key.lower(): value for key, value in parameters.items()}
        return cls(
            openx=True,
            any_case=lowered.get("case.insensitive", "true").strip().lower() != "false",
            dots=lowered.get("dots.in.keys", "false").strip().lower() == "true",
            timestamps=lowered.get("timestamp.formats", ""),
            names={key[8:]: value for key, value in lowered.items() if key.startswith("mapping.")},
        )

    def found(self, sql: str, name: str) -> str:
        """The key of a column or field in an object, as it is written there; NULL if there is none."""
        wanted = self.names.get(name.lower(), name)
        matches = f"{self._folded('k')} = {quote_text(self._fold(wanted))}"
        if self.dots and "_" in name:
            underscored = self._folded("replace(k, '.', '_')")
            matches = f"({matches}) OR (contains(k, '.') AND {underscored} = {quote_text(self._fold(name))})"
        return f"list_filter(json_keys({sql}), lambda k: {matches})[1]"

    def member(self, sql: str, name: str) -> str:
        """The value of a column or field: its key written exactly so, or else as ``found`` has it."""
        exact = f"json_extract({sql}, {quote_text(key_path(self.names.get(name.lower(), name)))})"
        if not self.any_case and not self.dots:
            return exact
        return f"coalesce({exact}, json_extract({sql}, {self.path(sql, name)}))"

    def path(self, sql: str, name: str) -> str:
        """DuckDB's path to a column's value."""
        return f"'$.\"' || replace({self.found(sql, name)}, '\"', '\\\"') || '\"'"

    def repeated(self, sql: str) -> str:
        """The first key that an object has twice, or NULL."""
        keys = f"list_transform(json_keys({sql}), lambda k: {self._folded('k')})"
        first = f"list_filter({keys}, lambda k, i: list_position({keys}, k) < i)[1]"
        return f"CASE WHEN len({keys}) <> list_unique({keys}) THEN {first} END"

    def _fold(self, name: str) -> str:
        return name.lower() if self.any_case else name

    def _folded(self, sql: str) -> str:
        return f"lower({sql})" if self.any_case else sql


def key_path(name: str) -> str:
    """DuckDB's path to a key of an object."""
    return '$."' + name.replace('"', '\\"') + '"'
