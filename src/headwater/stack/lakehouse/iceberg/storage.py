"""pyiceberg's files over the engine's storage: read in place, written through S3."""

from __future__ import annotations

import io
from typing import Any

from pyiceberg.io import FileIO, InputFile, InputStream, OutputFile, OutputStream

from headwater.stack.lakehouse.errors import AccessDenied, NoSuchBucket
from headwater.stack.lakehouse.model import Scope, Storage, StoredObject, split_s3_uri


class StorageFiles(FileIO):
    """The objects that an account sees."""

    def __init__(self, storage: Storage, scope: Scope) -> None:
        super().__init__({})
        self.storage = storage
        self.scope = scope

    def new_input(self, location: str) -> InputFile:
        """An object to read."""
        return StoredInput(self, location)

    def new_output(self, location: str) -> OutputFile:
        """An object to write."""
        return StoredOutput(self, location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Remove an object."""
        place = location if isinstance(location, str) else location.location
        bucket, key = split_s3_uri(place)
        self.storage.delete(self.scope, bucket, [key])

    def find(self, location: str) -> StoredObject | None:
        """The object at a location."""
        bucket, key = split_s3_uri(location)
        try:
            return next((found for found in self.storage.objects(self.scope, bucket, key) if found.key == key), None)
        except (NoSuchBucket, AccessDenied):
            return None


class StoredInput(InputFile):
    """An object as pyiceberg reads it."""

    def __init__(self, files: StorageFiles, location: str) -> None:
        super().__init__(location)
        self._files = files

    def __len__(self) -> int:
        """Its size in bytes."""
        return self._found().size

    def exists(self) -> bool:
        """Whether it is there."""
        return self._files.find(self.location) is not None

    def open(self, seekable: bool = True) -> InputStream:
        """The file itself."""
        del seekable
        return self._found().path.open("rb")

    def _found(self) -> StoredObject:
        found = self._files.find(self.location)
        if found is None:
            raise FileNotFoundError(self.location)
        return found


class StoredOutput(OutputFile):
    """An object as pyiceberg writes it: it is there when it is closed."""

    def __init__(self, files: StorageFiles, location: str) -> None:
        super().__init__(location)
        self._files = files

    def __len__(self) -> int:
        """Its size in bytes."""
        return len(self.to_input_file())

    def exists(self) -> bool:
        """Whether it is there already."""
        return self._files.find(self.location) is not None

    def to_input_file(self) -> InputFile:
        """The same object, to read."""
        return StoredInput(self._files, self.location)

    def create(self, overwrite: bool = False) -> OutputStream:
        """A stream whose content becomes the object."""
        if not overwrite and self.exists():
            raise FileExistsError(self.location)
        return _Upload(self._files, self.location)


class _Upload(io.BytesIO):
    def __init__(self, files: StorageFiles, location: str) -> None:
        super().__init__()
        self._files = files
        self._location = location

    def close(self) -> None:
        """Store what was written, unless writing failed."""
        if not self.closed:
            bucket, key = split_s3_uri(self._location)
            self._files.storage.put(self._files.scope, bucket, key, self.getvalue(), "application/octet-stream")
        super().close()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """Nothing is stored of what broke off."""
        if kind is not None:
            super().close()
            return
        self.close()
