"""The schema, as Alembic reads it. Not on the request path: statements are written as SQL in `app.sql`.

Why these columns and indexes: docs/architecture.md, Storage.
"""

from geoalchemy2 import Geometry
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZMULTIRANGE, TSVECTOR

from app.database import words

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

_Instant = DateTime(timezone=True)
# Ids sort by code point whatever the database's locale.
_Id = Text(collation="C")


# What `q` looks in, as far as it is certain to fit into a tsvector.
_WORDS = words.folded(
    "left(id || ' ' || coalesce(document ->> 'title', '') || ' ' || coalesce(document ->> 'description', '') || ' ' ||"
    " coalesce(document ->> 'keywords', ''), 100000)"
)
_TIMES = """CASE WHEN first_start IS NULL THEN declared_times
    ELSE tstzmultirange(tstzrange(first_start, last_end, '[]')) END"""


def _geometry() -> Geometry:
    return Geometry("GEOMETRY", srid=4326, spatial_index=False)


collections = Table(
    "collections",
    metadata,
    Column("key", Integer, Identity(always=True), primary_key=True),
    Column("id", _Id, nullable=False, unique=True),
    Column("content", LargeBinary, nullable=False, comment="the collection without extent, links last"),
    Column("extent", LargeBinary, nullable=False, comment="the extent it declares, JSON"),
    Column("envelope", _geometry(), comment="a box around all its items"),
    Column("first_datetime", _Instant, comment="bounds of items.datetime"),
    Column("last_datetime", _Instant),
    Column("first_start", _Instant, comment="bounds of the items' intervals"),
    Column("last_end", _Instant),
    Column("lead", Interval, nullable=False, server_default=text("'0'"), comment="longest from start to datetime"),
    Column("lag", Interval, nullable=False, server_default=text("'0'"), comment="longest from datetime to end"),
    Column("created", _Instant, nullable=False, server_default=func.now()),
    Column("updated", _Instant, nullable=False, server_default=func.now()),
    Column("document", JSONB, nullable=False, comment="all members but links and extent: what filters read"),
    Column("declared_area", _geometry(), comment="all boxes of extent"),
    Column("declared_times", TSTZMULTIRANGE, comment="all intervals of extent"),
    # Where and when it is served to be.
    Column("area", _geometry(), Computed("coalesce(envelope, declared_area)", persisted=True)),
    Column("times", TSTZMULTIRANGE, Computed(_TIMES, persisted=True)),
    Column("words", TSVECTOR, Computed(f"to_tsvector('simple', {_WORDS})", persisted=True)),
    Column("private", Boolean, nullable=False, server_default=text("false"), comment="hidden from who has no right"),
    Index("collections_private", "key", postgresql_where=text("private")),
    Index("collections_area", "area", postgresql_using="gist"),
    Index("collections_words", "words", postgresql_using="gin"),
)

dictionaries = Table(
    "dictionaries",
    metadata,
    Column("key", Integer, Identity(always=True), primary_key=True),
    Column("collection", ForeignKey("collections.key", ondelete="CASCADE"), nullable=False, index=True),
    Column("content", LargeBinary, nullable=False, comment="a zstd dictionary; never changed"),
    Column("created", _Instant, nullable=False, server_default=func.now()),
)

queryables = Table(
    "queryables",
    metadata,
    Column("collection", ForeignKey("collections.key", ondelete="CASCADE"), primary_key=True),
    Column("name", _Id, primary_key=True, index=True, comment="of a property"),
    Column("types", Integer, nullable=False, comment="flags of app.stac.statistics.Type"),
    Column("members", Integer, nullable=False, comment="the same, of what is inside arrays"),
    Column("minimum", Numeric, comment="of the numbers"),
    Column("maximum", Numeric),
    Column("texts", JSONB, comment="all of them, where they are few"),
)

items = Table(
    "items",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("collection", ForeignKey("collections.key"), primary_key=True),
    Column("geometry", _geometry()),
    Column("datetime", _Instant, nullable=False, comment="what results are sorted by"),
    Column("start_datetime", _Instant, nullable=False, comment="the interval that datetime filters test"),
    Column("end_datetime", _Instant, nullable=False),
    Column("properties", JSONB, nullable=False, comment="what filters read"),
    Column("content", LargeBinary, nullable=False, comment="the item, links last, zstd"),
    # No foreign key: its check costs each row of a load, and dictionaries go only with their collection.
    Column("dictionary", Integer, comment="key of what content is compressed with"),
    Column("created", _Instant, nullable=False, server_default=func.now()),
    Column("updated", _Instant, nullable=False, server_default=func.now()),
    # Orders items of one instant. In the GiST index, whose distances are float8, so 28 bits are exact.
    Column(
        "tie",
        Integer,
        Computed("('x' || substr(md5(id), 1, 7))::bit(28)::integer", persisted=True),
        nullable=False,
    ),
    Column("cell", SmallInteger, nullable=False, comment="of the globe: app.stac.cells"),
    # Box searches come out of this one already in the order of time: a nearest-neighbour scan from a far instant.
    Index("items_space_time", "collection", "geometry", "datetime", "tie", postgresql_using="gist"),
    Index("items_collection_time", "collection", "datetime", "tie"),
    Index("items_time", "datetime", "tie", "collection"),
    Index("items_cell_time", "cell", "datetime", "tie", "collection"),
    Index("items_words", text(words.vector("id", "properties")), postgresql_using="gin"),
)

# What an operator asked for; whether the index is there and valid is in PostgreSQL's own catalogue.
property_indexes = Table(
    "property_indexes",
    metadata,
    Column("key", Integer, Identity(always=True), primary_key=True),
    Column("property", _Id, nullable=False, unique=True, comment="its index is items_property_{key}"),
    Column("created", _Instant, nullable=False, server_default=func.now()),
)

# Keys of the API. What a caller sends is known by its digest alone.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True, comment="what it is listed and revoked by"),
    Column("name", Text, nullable=False, comment="what it is for"),
    Column("digest", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the key"),
    Column("actions", ARRAY(Text), nullable=False),
    Column("collections", ARRAY(Text), comment="ids; all where NULL"),
    Column("created", _Instant, nullable=False, server_default=func.now()),
    Column("expires", _Instant),
    Column("revoked", _Instant),
)

loads = Table(
    "loads",
    metadata,
    Column("digest", LargeBinary, primary_key=True, comment="of the file's path, size, time and head"),
    Column("location", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("entries", BigInteger, nullable=False, comment="of the file, stored or refused"),
    Column("documents", BigInteger, nullable=False, comment="of the next entry, which is a list"),
    Column("finished", Boolean, nullable=False, comment="this file, and not yet those behind it"),
    Column("report", JSONB, nullable=False),
    Column("updated", _Instant, nullable=False, server_default=func.now()),
)
