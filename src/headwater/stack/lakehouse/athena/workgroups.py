"""Work groups: ``primary``, which always exists, and the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from headwater.stack.lakehouse.athena.documents import NAMED_QUERY
from headwater.stack.lakehouse.athena.executions import AthenaStore
from headwater.stack.lakehouse.athena.managed import is_managed
from headwater.stack.lakehouse.athena.paging import listed
from headwater.stack.lakehouse.athena.prepared import PREPARED, prepared_key
from headwater.stack.lakehouse.athena.records import TOGETHER, output_bucket
from headwater.stack.lakehouse.athena.tags import Tags, requested_tags, work_group_arn
from headwater.stack.lakehouse.errors import invalid_request
from headwater.stack.lakehouse.model import GlueJson, Scope

_KIND = "work-group"
_PRIMARY = "primary"
_VERSION = "Athena engine version 3"
_ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": _VERSION}


class WorkGroups:
    """Work groups per account and region, kept in the store."""

    def __init__(self, store: AthenaStore, clock: Callable[[], float], tags: Tags) -> None:
        self._store = store
        self._clock = clock
        self._tags = tags

    def operations(self) -> Mapping[str, Callable[[Scope, GlueJson], GlueJson]]:
        """The operations of this family."""
        return {
            "CreateWorkGroup": self._create,
            "GetWorkGroup": lambda scope, request: {"WorkGroup": self.get(scope, request.get("WorkGroup") or "")},
            "ListWorkGroups": self._list,
            "UpdateWorkGroup": self._update,
            "DeleteWorkGroup": self._delete,
            "ListEngineVersions": lambda _, request: listed(
                "EngineVersions", [_ENGINE, {**_ENGINE, "SelectedEngineVersion": _VERSION}], request, 10
            ),
        }

    def get(self, scope: Scope, name: str) -> GlueJson:
        """A work group. Raises ``InvalidRequestException``."""
        found = self._store.document(_KIND, scope, name)
        if found is not None:
            return found
        if name == _PRIMARY:
            # It is there from the account's first look at it, and as old.
            made = _work_group(_PRIMARY, "", {"EnforceWorkGroupConfiguration": False}, self._clock())
            return made if self._store.add_document(_KIND, scope, name, made) else self.get(scope, name)
        raise invalid_request(f"WorkGroup {name} is not found.")

    def enabled(self, scope: Scope, name: str) -> GlueJson:
        """A work group that queries may run in."""
        found = self.get(scope, name)
        if found["State"] != "ENABLED":
            raise invalid_request(f"WorkGroup {name} is disabled.")
        return found

    def _create(self, scope: Scope, request: GlueJson) -> GlueJson:
        name = request.get("Name") or ""
        configuration, tags = request.get("Configuration") or {}, requested_tags(request)
        _check(configuration)
        _refuse_two_places(configuration)
        group = _work_group(name, request.get("Description") or "", configuration, self._clock())
        if name == _PRIMARY or not self._store.add_document(_KIND, scope, name, group):
            raise invalid_request("WorkGroup is already created")
        self._tags.put(scope, work_group_arn(scope, name), tags)
        return {}

    def _update(self, scope: Scope, request: GlueJson) -> GlueJson:
        name, updates = str(request["WorkGroup"]), request.get("ConfigurationUpdates") or {}
        self.get(scope, name)
        _check(updates)

        def updated(group: GlueJson | None) -> GlueJson:
            if group is None:
                raise invalid_request(f"WorkGroup {name} is not found.")
            changes: GlueJson = {key: request[key] for key in ("State", "Description") if key in request}
            configuration = _updated(group["Configuration"], updates)
            _refuse_two_places(configuration)
            return {**group, **changes, "Configuration": configuration}

        self._store.change_document(_KIND, scope, name, updated)
        return {}

    def _delete(self, scope: Scope, request: GlueJson) -> GlueJson:
        name = request.get("WorkGroup") or ""
        if name == _PRIMARY:
            raise invalid_request("The primary workgroup cannot be deleted.")
        self.get(scope, name)
        queries = [d for d in self._store.documents(NAMED_QUERY, scope) if d["WorkGroup"] == name]
        statements = [d for d in self._store.documents(PREPARED, scope) if d["WorkGroupName"] == name]
        full = queries or statements or self._store.listing(scope, name, None, 1)
        if full and not request.get("RecursiveDeleteOption"):
            raise invalid_request(f"WorkGroup {name} is not empty")
        for query in queries:
            self._store.delete_document(NAMED_QUERY, scope, query["NamedQueryId"])
        for statement in statements:
            self._store.delete_document(PREPARED, scope, prepared_key(name, statement["StatementName"]))
        self._store.delete_document(_KIND, scope, name)
        self._tags.forget(scope, work_group_arn(scope, name))
        return {}

    def _list(self, scope: Scope, request: GlueJson) -> GlueJson:
        groups = {_PRIMARY: self.get(scope, _PRIMARY)}
        groups |= {group["Name"]: group for group in self._store.documents(_KIND, scope)}
        keys = ("Name", "State", "Description", "CreationTime")
        shown = [
            {**{key: group[key] for key in keys if key in group}, "EngineVersion": _engine(group["Configuration"])}
            for group in groups.values()
        ]
        return listed("WorkGroups", shown, request, 50, first=1)


def _check(configuration: GlueJson) -> None:
    for name in ("ResultConfiguration", "ResultConfigurationUpdates"):
        location = (configuration.get(name) or {}).get("OutputLocation")
        if location is not None:
            output_bucket(location)
    selected = (configuration.get("EngineVersion") or {}).get("SelectedEngineVersion") or "AUTO"
    if selected not in ("AUTO", _VERSION):
        raise invalid_request(f"Engine version {selected} is not supported by Headwater's local Athena.")


def _refuse_two_places(configuration: GlueJson) -> None:
    if is_managed(configuration) and (configuration.get("ResultConfiguration") or {}).get("OutputLocation"):
        raise invalid_request(TOGETHER, "INVALID_INPUT")


def _engine(configuration: GlueJson) -> GlueJson:
    selected = (configuration.get("EngineVersion") or {}).get("SelectedEngineVersion") or "AUTO"
    return {"SelectedEngineVersion": selected, "EffectiveEngineVersion": _VERSION}


def _work_group(name: str, description: str, configuration: GlueJson, now: float) -> GlueJson:
    return {
        "Name": name,
        "State": "ENABLED",
        "Description": description,
        "CreationTime": now,
        "Configuration": {
            "ResultConfiguration": {},
            "EnforceWorkGroupConfiguration": True,
            "PublishCloudWatchMetricsEnabled": False,
            "RequesterPaysEnabled": False,
            **configuration,
            "EngineVersion": _engine(configuration),
        },
    }


def _updated(configuration: GlueJson, updates: GlueJson) -> GlueJson:
    changed = {**configuration}
    results = dict(changed.get("ResultConfiguration") or {})
    managed = {"Enabled": False, **(changed.get("ManagedQueryResultsConfiguration") or {})}
    for key, value in updates.items():
        if key == "ResultConfigurationUpdates":
            _update_results(results, value)
        elif key == "ManagedQueryResultsConfigurationUpdates":
            _update_results(managed, value)
            changed["ManagedQueryResultsConfiguration"] = managed
        elif key.startswith("Remove"):
            if value:
                changed.pop(key.removeprefix("Remove"), None)
        elif key == "EngineVersion":
            changed[key] = _engine(updates)
        else:
            changed[key] = value
    changed["ResultConfiguration"] = results
    return changed


def _update_results(results: GlueJson, updates: GlueJson) -> None:
    for name, setting in updates.items():
        if not name.startswith("Remove"):
            results[name] = setting
        elif setting:
            results.pop(name.removeprefix("Remove"), None)
