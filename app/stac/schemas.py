"""The JSON Schemas of STAC extensions, from a folder of the operator: nothing is fetched while serving."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from app.errors import Fault, SetupError


class Schemas:
    """Each schema of a folder under its `$id`, compiled when it is first needed and then kept.

    What a schema refers to is looked for in the folder too, and is part of JSON Schema itself otherwise.
    """

    def __init__(self, folder: Path) -> None:
        """Raises SetupError for a file that is no JSON Schema with an `$id`."""
        self._folder = folder
        self._contents = dict(_read(path) for path in sorted(folder.rglob("*.json")))
        self._compiled: dict[str, jsonschema_rs.Validator] = {}
        for uri in self._contents:
            self._compile(uri)

    def __reduce__(self) -> tuple[type["Schemas"], tuple[Path]]:
        """Another process compiles them itself."""
        return Schemas, (self._folder,)

    def faults(self, document: dict[str, Any]) -> list[Fault]:
        """What the schemas of the extensions that a document names find in it.

        An extension whose schema is not here is a fault too: the document says that it follows it, and nobody knows.
        """
        found = []
        names = document.get("stac_extensions")
        for number, name in enumerate(names if isinstance(names, list) else ()):
            schema = self._compiled.get(_plain(name)) if isinstance(name, str) else None
            if schema is None:
                reason = f"the schema {name!r} is not among those this service has, so it cannot be checked"
                found.append(Fault(f"stac_extensions.{number}", reason))
            else:
                found.extend(Fault(_path(error), error.message) for error in schema.iter_errors(document))
        return found

    def _compile(self, uri: str) -> None:
        try:
            self._compiled[uri] = jsonschema_rs.validator_for(
                self._contents[uri], retriever=self._retrieve, validate_formats=False
            )
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            reason = str(error).split("\n")[0]
            raise SetupError(f"UPESI_SCHEMA_DIR: the schema {uri} cannot be used: {reason}") from None

    def _retrieve(self, uri: str) -> Any:
        if _plain(uri) not in self._contents:
            raise ValueError(f"there is no such file in {self._folder}")
        return self._contents[_plain(uri)]


def _read(path: Path) -> tuple[str, Any]:
    try:
        schema = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SetupError(f"UPESI_SCHEMA_DIR: {path} cannot be read: {error}") from None
    if not isinstance(schema, dict) or not isinstance(schema.get("$id"), str):
        raise SetupError(f"UPESI_SCHEMA_DIR: {path} has no $id, which says what it is the schema of")
    return _plain(schema["$id"]), schema


def _plain(uri: str) -> str:
    """Most extensions close their `$id` with an empty fragment, and items name them without."""
    return uri.removesuffix("#")


def _path(error: jsonschema_rs.ValidationError) -> str:
    return ".".join(str(step) for step in error.instance_path)
