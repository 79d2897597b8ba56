"""What every reader gives."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from app.errors import InvalidDocument
from app.stac import document as documents


@dataclass(frozen=True, slots=True)
class Entry:
    """A document and the place it was found at; or, with `fault`, why there is none.

    Or, with `text`, some lines of JSON that nobody has parsed yet: a reader of lines leaves that to whoever has the
    time. `number` is that of the first one, where the place is a file and not this one document.
    """

    place: str
    document: Any = None
    fault: str | None = None
    text: bytes | None = None
    number: int | None = None

    def parsed(self) -> Iterator["Entry"]:
        """The documents of the lines, which may hold lists of them."""
        if self.text is None:
            yield self
            return
        # `split` looks at each byte, at five times the cost.
        for number, line in enumerate(BytesIO(self.text), start=self.number or 1):
            if not line.isspace():
                place = self.place if self.number is None else f"{self.place} {number}"
                yield from _of_line(place, line.removesuffix(b"\n"))


def _of_line(place: str, line: bytes) -> Iterator[Entry]:
    try:
        document = documents.parse(line)
    except InvalidDocument as error:
        yield Entry(place, fault=str(error))
    else:
        yield from expanded(place, document)


def expanded(place: str, document: Any) -> Iterator[Entry]:
    """The members of a list of documents, which a line may hold too, or the document itself."""
    match document:
        case {"type": "FeatureCollection", "features": list() as listed}:
            pass
        case {"collections": list() as listed} if "type" not in document:
            pass
        case list() as listed:
            pass
        case _:
            yield Entry(place, document)
            return
    for number, member in enumerate(listed, start=1):
        yield Entry(f"{place}, document {number}", member)
