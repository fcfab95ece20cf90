"""Work groups: ``primary``, which always exists, and the user's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from headwater.stack.lakehouse.athena.executions import AthenaStore
from headwater.stack.lakehouse.errors import invalid_request
from headwater.stack.lakehouse.model import GlueJson, Scope

_KIND = "work-group"
_PRIMARY = "primary"
_ENGINE = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}


class WorkGroups:
    """Work groups per account and region, kept in the store."""

    def __init__(self, store: AthenaStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def operations(self) -> Mapping[str, Callable[[Scope, GlueJson], GlueJson]]:
        """The operations of this family."""
        return {
            "CreateWorkGroup": self._create,
            "GetWorkGroup": lambda scope, request: {"WorkGroup": self.get(scope, request.get("WorkGroup") or "")},
            "ListWorkGroups": self._list,
            "UpdateWorkGroup": self._update,
            "DeleteWorkGroup": self._delete,
            "ListEngineVersions": lambda _, __: {
                "EngineVersions": [_ENGINE, {**_ENGINE, "SelectedEngineVersion": _ENGINE["EffectiveEngineVersion"]}]
            },
        }

    def get(self, scope: Scope, name: str) -> GlueJson:
        """A work group. Raises ``InvalidRequestException``."""
        found = self._store.document(_KIND, scope, name)
        if found is not None:
            return found
        if name == _PRIMARY:
            return _work_group(_PRIMARY, "", {"EnforceWorkGroupConfiguration": False}, 0.0)
        raise invalid_request(f"WorkGroup {name} is not found.", "WORKGROUP_NOT_FOUND")

    def enabled(self, scope: Scope, name: str) -> GlueJson:
        """A work group that queries may run in."""
        found = self.get(scope, name)
        if found["State"] != "ENABLED":
            raise invalid_request(f"WorkGroup {name} is disabled.")
        return found

    def _create(self, scope: Scope, request: GlueJson) -> GlueJson:
        name = request.get("Name") or ""
        if not name or name == _PRIMARY or self._store.document(_KIND, scope, name) is not None:
            raise invalid_request("WorkGroup is already created")
        configuration = request.get("Configuration") or {}
        group = _work_group(name, request.get("Description") or "", configuration, self._clock())
        self._store.put_document(_KIND, scope, name, group)
        return {}

    def _update(self, scope: Scope, request: GlueJson) -> GlueJson:
        group = self.get(scope, request.get("WorkGroup") or "")
        configuration = _updated(group["Configuration"], request.get("ConfigurationUpdates") or {})
        group = {**group, "Configuration": configuration, "State": request.get("State") or group["State"]}
        if "Description" in request:
            group["Description"] = request["Description"]
        self._store.put_document(_KIND, scope, group["Name"], group)
        return {}

    def _delete(self, scope: Scope, request: GlueJson) -> GlueJson:
        name = request.get("WorkGroup") or ""
        if name == _PRIMARY:
            raise invalid_request("The primary workgroup cannot be deleted.")
        self.get(scope, name)
        if self._store.listing(scope, name, None, 1) and not request.get("RecursiveDeleteOption"):
            raise invalid_request(f"WorkGroup {name} is not empty")
        self._store.delete_document(_KIND, scope, name)
        return {}

    def _list(self, scope: Scope, request: GlueJson) -> GlueJson:
        del request
        groups = {_PRIMARY: self.get(scope, _PRIMARY)}
        groups |= {group["Name"]: group for group in self._store.documents(_KIND, scope)}
        keys = ("Name", "State", "Description", "CreationTime")
        listed = [{key: group[key] for key in keys if key in group} for group in groups.values()]
        return {"WorkGroups": [{**group, "EngineVersion": _ENGINE} for group in listed]}


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
            "EngineVersion": _ENGINE,
        },
    }


def _updated(configuration: GlueJson, updates: GlueJson) -> GlueJson:
    changed = {**configuration}
    results = dict(changed.get("ResultConfiguration") or {})
    for key, value in updates.items():
        if key == "ResultConfigurationUpdates":
            for name, setting in value.items():
                if name.startswith("Remove"):
                    if setting:
                        results.pop(name.removeprefix("Remove"), None)
                else:
                    results[name] = setting
        elif key == "RemoveBytesScannedCutoffPerQuery":
            if value:
                changed.pop("BytesScannedCutoffPerQuery", None)
        elif key != "EngineVersion":
            changed[key] = value
    changed["ResultConfiguration"] = results
    return changed
