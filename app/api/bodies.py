"""What the service answers and STAC has no models for, as OpenAPI describes it and tests hold it against."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class FaultBody(BaseModel):
    """One place of a document that is wrong."""

    path: str
    message: str


class ErrorBody(BaseModel):
    """Every error of this service has this shape."""

    code: str
    description: str
    parameter: str | None = None
    faults: list[FaultBody] | None = None


class Batch(BaseModel):
    """What became of the items of a batch."""

    received: int
    created: int
    replaced: int
    unchanged: int


class ItemPart(BaseModel):
    """What `fields` has left of an item."""

    model_config = ConfigDict(extra="allow")

    type: Literal["Feature"] | None = None
    id: str | None = None
    collection: str | None = None


class ItemParts(BaseModel):
    """An ItemCollection of what `fields` has left."""

    model_config = ConfigDict(extra="allow")

    type: Literal["FeatureCollection"]
    features: list[ItemPart]
    links: list[dict[str, Any]]


class CollectionPart(BaseModel):
    """What `fields` has left of a collection."""

    model_config = ConfigDict(extra="allow")

    type: Literal["Collection"] | None = None
    id: str | None = None


class CollectionParts(BaseModel):
    """Collections of which `fields` has left a part."""

    model_config = ConfigDict(extra="allow")

    collections: list[CollectionPart]
    links: list[dict[str, Any]]


class JsonSchema(BaseModel):
    """A JSON Schema of the properties that can be named."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    properties: dict[str, Any]


class FunctionArgument(BaseModel):
    type: list[str]


class Function(BaseModel):
    name: str
    description: str
    arguments: list[FunctionArgument]
    returns: list[str]


class Functions(BaseModel):
    """The functions a filter can call (OGC 19-079r2, /req/filter/get-functions-response-json)."""

    functions: list[Function]


class Bucket(BaseModel):
    """Items with one value, or a value from `from` and below `to`."""

    model_config = ConfigDict(extra="forbid")

    key: str
    data_type: str
    frequency: int
    from_: Annotated[float | None, Field(alias="from")] = None
    to: float | None = None


class Aggregation(BaseModel):
    """A value, or a frequency distribution; or, at /aggregations, what there will be one of."""

    model_config = ConfigDict(extra="forbid")

    name: str
    data_type: str
    frequency_distribution_data_type: str | None = None
    value: int | str | None = None
    buckets: list[Bucket] | None = None
    overflow: int | None = None


class AggregationCollection(BaseModel):
    """What the Aggregation extension answers with."""

    type: Literal["AggregationCollection"]
    aggregations: list[Aggregation]
    links: list[dict[str, Any]]


class Ping(BaseModel):
    """The service lives."""

    message: Literal["PONG"]


class HealthBody(BaseModel):
    """`revision` is that of the database's schema, `description` what is wrong and what to do."""

    status: Literal["UP", "DOWN"]
    database: Literal["UP", "DOWN"]
    revision: str | None = None
    description: str | None = None


class AssetReader(BaseModel):
    """What reads a file: GDAL's driver by its short name, the engine of xarray; null where there is none."""

    format: str
    driver: str | None
    engine: str | None
    vector: bool


class GridBand(BaseModel):
    """null is what nobody says. `value = stored * scale + offset`, in `unit`."""

    name: str | None
    common_name: str | None
    description: str | None
    dtype: str | None
    nodata: float | str | None
    scale: float | str | None
    offset: float | str | None
    unit: str | None


class GridBody(BaseModel):
    """Where the pixels are and what they mean; null is what nobody says, and numbers JSON has not are texts."""

    code: str | None
    wkt2: str | None
    projjson: dict[str, Any] | None
    geotransform: Annotated[list[float], Field(min_length=6, max_length=6, description="In GDAL's order.")] | None
    shape: Annotated[list[int], Field(min_length=2, max_length=2, description="Rows, columns.")] | None
    bbox: Annotated[list[float], Field(min_length=4, max_length=4, description="In the CRS.")] | None
    resolution: Annotated[list[float], Field(min_length=2, max_length=2)] | None
    bands: list[GridBand]
    dtype: str | None
    nodata: float | str | None
    scale: float | str | None
    offset: float | str | None


class AssetGrid(BaseModel):
    """What an item and its collection say of an asset; no file is opened for it."""

    model_config = ConfigDict(extra="forbid")

    collection: str
    item: str
    asset: str
    href: str
    expires: str | None
    reader: AssetReader | None
    grid: GridBody
