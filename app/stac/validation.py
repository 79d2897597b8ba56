"""How strictly documents are checked before they are stored, as the operator sets it."""

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
        before = [known.path for known in told]
        told += [
            fault
            for fault in dict.fromkeys(found)
            if not any(_within(fault.path, path) or _within(path, fault.path) for path in before)
        ]
    if told:
        raise InvalidDocument(*told)


def _within(path: str, outer: str) -> bool:
    return path == outer or (outer != "" and path.startswith(f"{outer}."))
