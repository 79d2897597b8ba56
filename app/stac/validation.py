"""How strictly documents are checked before they are stored, as the operator sets it."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from app.errors import Fault, InvalidDocument
from app.settings import Settings
from app.stac import document as documents
from app.stac.geometry import without_advice
from app.stac.schemas import Schemas


@dataclass(frozen=True, slots=True)
class Rules:
    """`core` is STAC itself, `schemas` are those of its extensions. What the columns need is checked in any case."""

    core: bool = True
    schemas: Schemas | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        """Raises SetupError where the schemas cannot be used."""
        if settings.validation == "extensions":
            assert settings.schema_dir is not None  # Settings has seen to it.
            return cls(schemas=Schemas(settings.schema_dir))
        return cls(core=settings.validation == "core")

    def of_extensions(self, document: dict[str, Any]) -> list[Fault]:
        return [] if self.schemas is None else self.schemas.faults(document)


CORE = Rules()


def of_model(model: type[BaseModel], document: Any) -> list[Fault]:
    try:
        with without_advice():
            model.model_validate(document)
    except ValidationError as error:
        return documents.faults(error)
    except OverflowError:  # stac-pydantic moves times to UTC
        return [Fault("", "has a time that is before year 1 or after year 9999 in UTC")]
    return []


def refuse(*findings: list[Fault]) -> None:
    """Raises InvalidDocument with all faults. Where an earlier check found one, a later one says the same again."""
    told: list[Fault] = []
    for found in findings:
        known = _outermost(told)
        told += [fault for fault in dict.fromkeys(found) if not _meets(_steps(fault), known)]
    if told:
        raise InvalidDocument(*told)


def _steps(fault: Fault) -> list[str]:
    return fault.path.split(".")


def _outermost(faults: list[Fault]) -> list[list[str]]:
    """Their places in order, without those within another."""
    kept: list[list[str]] = []
    for steps in sorted(map(_steps, faults)):
        if not _meets(steps, kept[-1:]):
            kept.append(steps)
    return kept


def _meets(steps: list[str], places: list[list[str]]) -> bool:
    """Whether a place is within another or around it. The one before it in their order, or the one behind it, is then:
    a document may have as many faults as bytes, so that each is not held against each."""
    at = bisect_left(places, steps)
    return any(steps[: len(place)] == place[: len(steps)] for place in places[max(at - 1, 0) : at + 1])
