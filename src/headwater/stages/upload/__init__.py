"""The upload stage: sync output/ to the lake by checksum, then list the lake and compare it with the local files."""

from __future__ import annotations

from headwater.stages.upload.apply import TableListing, UploadReport, apply
from headwater.stages.upload.plan import LocalFile, RemoteObject, Transfer, UploadPlan, decide, plan

__all__ = [
    "LocalFile",
    "RemoteObject",
    "TableListing",
    "Transfer",
    "UploadPlan",
    "UploadReport",
    "apply",
    "decide",
    "plan",
]
