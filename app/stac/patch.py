"""A document changed in part: JSON Merge Patch (RFC 7396) and JSON Patch (RFC 6902)."""

from collections.abc import Callable
from typing import Any

from jsonpatch import JsonPatch, JsonPatchException
from jsonpointer import JsonPointerException, resolve_pointer

from app.errors import Fault, InvalidDocument
from app.stac import document as documents

MERGE = "application/merge-patch+json"
OPERATIONS = "application/json-patch+json"

_OPERATIONS_AT_MOST = 1000
# A copy of a document into itself doubles it: twenty of them make a million.
_COPIED_AT_MOST = 5_000_000

Patch = Callable[[Any], Any]


def read(media_type: str, text: bytes) -> Patch:
    """The change a body asks for. It may alter the document it is given. Raises InvalidDocument."""
    asked = documents.parse(text)
    if media_type == OPERATIONS:
        if not isinstance(asked, list):
            raise InvalidDocument("a JSON Patch is an array of operations")
        if len(asked) > _OPERATIONS_AT_MOST:
            raise InvalidDocument(f"has more than {_OPERATIONS_AT_MOST} operations")
        return lambda document: _operated(document, asked)
    if not isinstance(asked, dict):
        raise InvalidDocument("a JSON Merge Patch of a document is an object")
    return lambda document: merged(document, asked)


def replacement(text: bytes) -> Patch:
    """The change to another document. Raises InvalidDocument."""
    document = documents.parse(text)
    return lambda _: document


def merged(target: Any, patch: Any) -> Any:
    """RFC 7396, 2: members that are null are taken out, objects are merged, all else is put in place."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _operated(document: Any, operations: list[Any]) -> Any:
    """Raises InvalidDocument with the place of the operation that cannot be carried out; none of them is, then."""
    copied = 0
    for number, operation in enumerate(operations):
        try:
            patch = JsonPatch([operation])
            if operation.get("op") == "copy" and isinstance(operation.get("from"), str):
                copied += len(documents.dump(resolve_pointer(document, operation["from"])))
                if copied > _COPIED_AT_MOST:
                    raise InvalidDocument(Fault(str(number), f"copies more than {_COPIED_AT_MOST} bytes in all"))
            document = patch.apply(document, in_place=True)
        except (JsonPatchException, JsonPointerException, TypeError, LookupError, ValueError) as error:
            raise InvalidDocument(Fault(str(number), _reason(error))) from None
        except RecursionError:
            raise InvalidDocument(Fault(str(number), "is nested too deep")) from None
    return document


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:500]
