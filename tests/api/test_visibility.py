"""What a private collection lets out, for whom.

The same requests are asked of a catalogue with a private collection and of one that never had it: to who has no right
on it, every answer is the same. The requests cover all routes, and each of them finds the collection for who has one.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import orjson
import pytest
from starlette.routing import Mount, Route

from app import visibility
from app.access import keys
from app.bulk.load import Loader
from app.catalog import Catalog
from app.database.fragment import sql
from app.database.pool import Database
from app.main import create_app
from app.settings import Settings
from app.stac.access import Grant, Rights
from app.stac.paging import Position, Seek
from app.stac.search import Search
from app.stopwatch import Stopwatch
from tests.api.assertions import assert_error
from tests.api.serving import serving
from tests.factories import Document, box, collection, item, load

pytestmark = pytest.mark.anyio

# In every word of the private collection, so that whatever of it comes out is found.
MARK = "classified"
ITEM = f"{MARK}-7"
C, I = f"/collections/{MARK}", f"/collections/{MARK}/items/{ITEM}"  # noqa: E741
PAGE: Any = {"limit": 3}
FILTERED: Any = {"filter-lang": "cql2-json", "filter": {"op": "=", "args": [{"property": "level"}, f"{MARK}-level"]}}
FILTERED_BY_ID: Any = FILTERED | {"filter": {"op": "=", "args": [{"property": "id"}, MARK]}}
EVERYTHING = "total_count,collection_frequency,datetime_min,datetime_max,platform_frequency,datetime_frequency"


@dataclass(frozen=True)
class Asked:
    """`route` is the path of the route it is for; `tells` is False where its owner may be answered as others are."""

    method: str
    route: str
    path: str
    params: dict[str, Any] = field(default_factory=dict)
    json: Any = None
    tells: bool = True

    async def of(self, client: httpx.AsyncClient, headers: dict[str, str] | None = None) -> httpx.Response:
        return await client.request(self.method, self.path, params=self.params, json=self.json, headers=headers)


def get(route: str, path: str | None = None, tells: bool = True, **params: Any) -> Asked:
    return Asked("GET", route, path or _filled(route), params, tells=tells)


def post(route: str, tells: bool = True, **body: Any) -> Asked:
    return Asked("POST", route, _filled(route), json=body, tells=tells)


def _filled(route: str) -> str:
    values = {
        "{collection_id:segment}": MARK,
        "{item_id:segment}": ITEM,
        "{asset:segment}": "data",
        "{z}/{x}/{y}.{form}": "0/0/0.png",
        "{form}": "png",
    }
    for name, value in values.items():
        route = route.replace(name, value)
    return route


COLLECTION = "/collections/{collection_id:segment}"
ITEMS, ONE = COLLECTION + "/items", COLLECTION + "/items/{item_id:segment}"
READS = [
    *(get(route, f="html") for route in ("/", "/collections", COLLECTION, ITEMS, ONE, "/search", "/queryables")),
    get("/collections"),
    get("/collections", limit=1, sortby="-id"),
    get("/collections", q=MARK),
    get("/collections", filter=f"title = '{MARK} things'"),
    get("/collections", bbox="60,60,61,61"),
    get("/collections", datetime="2031-01-01T00:00:00Z"),
    get("/collections", sortby="-title", limit=1),
    post("/collections-search"),
    post("/collections-search", **FILTERED_BY_ID),
    get(COLLECTION),
    get(COLLECTION + "/queryables"),
    get(COLLECTION + "/sortables"),
    get(COLLECTION + "/aggregations"),
    get(COLLECTION + "/aggregate", aggregations=EVERYTHING),
    post(COLLECTION + "/aggregate", aggregations=EVERYTHING.split(",")),
    get(ITEMS),
    get(ITEMS, f="ndjson"),
    get(ITEMS, filter=f"level = '{MARK}-level'"),
    get(ITEMS, limit=0, tells=False),
    get(ITEMS, filter="nothing = 1", tells=False),
    get(ONE),
    get(ONE, f"{C}/items/nothing", tells=False),
    get(ONE + "/assets/{asset:segment}/grid"),
    get("/queryables"),
    get("/sortables"),
    get("/search"),
    get("/search", f="ndjson"),
    get("/search", f="ndjson", limit=2),
    get("/search", collections=MARK),
    get("/search", collections=f"{MARK},things"),
    get("/search", ids=ITEM),
    get("/search", ids=f"{ITEM},thing-1", collections=f"things,{MARK}"),
    get("/search", bbox="60,60,61,61"),
    get("/search", bbox="60,60,61,61", **PAGE),
    get("/search", datetime="2031-01-01T00:00:00Z/.."),
    get("/search", q=MARK),
    get("/search", filter=f"level = '{MARK}-level'"),
    get("/search", filter=f"collection = '{MARK}'"),
    get("/search", sortby="-cloud", tells=False),
    get("/search", sortby="cloud", bbox="60,60,61,61"),
    get("/search", sortby="+level,-cloud", limit=1),
    get("/search", sortby="+datetime", **PAGE, tells=False),
    get("/search", sortby="-collection", tells=False),
    post("/search"),
    post("/search", **PAGE),
    post("/search", **FILTERED),
    post("/search", query={"level": {"eq": f"{MARK}-level"}}),
    post("/search", intersects={"type": "Point", "coordinates": [60.5, 60.5]}),
    get("/aggregate", aggregations=EVERYTHING),
    get("/aggregate", aggregations="total_count", collections=MARK, tells=False),
    get("/aggregate", aggregations="datetime_min,datetime_max", tells=False),
    get("/aggregate", aggregations="total_count,grid_geohash_frequency", bbox="60,60,61,61", tells=False),
    get("/aggregate", aggregations="total_count", q=MARK, tells=False),
    post("/aggregate", aggregations=EVERYTHING.split(",")),
    get("/mosaic.vrt", asset="data", collections=MARK),
    get("/mosaic.vrt", asset="data", tells=False),
    post("/mosaic.vrt", asset="data", ids=[ITEM]),
    post("/cube", assets=["data"], collections=[MARK]),
    get(ONE + "/preview.{form}", assets="data", tells=False),
    get(ONE + "/tilejson.json", assets="data"),
    get(ONE + "/tiles/{z}/{x}/{y}.{form}", assets="data", tells=False),
    get("/tiles/{z}/{x}/{y}.{form}", assets="data", collections=MARK, tells=False),
]
# Of these every answer is about the service, or about a file of the operator.
OF_THE_SERVICE = {
    *("/", "/conformance", "/api", "/docs", "/docs/assets", "/functions", "/aggregations", "/static"),
    *("/collections-queryables", "/collections-sortables", "/tiles/tilejson.json", "/pages/{name}"),
    *("/_mgmt/ping", "/_mgmt/health", "/metrics", "/favicon.ico"),
}
PLACE: Document = {"id": "new", "properties": {"datetime": "2031-01-01T00:00:00Z"}, "geometry": None}
WRITES = [
    Asked("POST", ITEMS, C + "/items", json=item("new", MARK)),
    Asked("POST", ITEMS, C + "/items", json=item(ITEM, MARK)),
    Asked("POST", ITEMS, C + "/items", json="nonsense"),
    Asked("POST", COLLECTION + "/bulk_items", C + "/bulk_items", json={"items": {ITEM: item(ITEM, MARK)}}),
    Asked("PUT", ONE, I, json=item(ITEM, MARK)),
    Asked("PUT", ONE, f"{C}/items/nothing", json=item("nothing", MARK)),
    Asked("PATCH", ONE, I, json={"properties": {"x": 1}}),
    Asked("PATCH", ONE, I, json="nonsense"),
    Asked("DELETE", ONE, I),
    Asked("PUT", COLLECTION, C, json=collection(MARK)),
    Asked("PATCH", COLLECTION, C, json={"title": "x"}),
    Asked("DELETE", COLLECTION, C),
    Asked("DELETE", COLLECTION, C, {"cascade": "true"}),
]


def of_secret(number: int) -> Document:
    return item(
        f"{MARK}-{number}",
        MARK,
        geometry=box(60, 60, 61, 61),
        properties={
            "datetime": f"2031-01-{number + 1:02d}T00:00:00Z",
            "level": f"{MARK}-level",
            "platform": f"{MARK}-platform",
            f"{MARK}:only": 4711,
            "cloud": -5000 + number,
        },
        assets={"data": {"href": f"https://{MARK}.example/{number}.tif"} | _GRID},
    )


_GRID = {"proj:code": "EPSG:4326", "proj:shape": [10, 10], "proj:transform": [0.1, 0, 60, 0, -0.1, 61], "nodata": 0}


def of_things(number: int) -> Document:
    properties = {"datetime": f"2024-01-{number + 1:02d}T00:00:00Z", "cloud": number, "platform": "plain"}
    asset = {"href": f"https://open.example/{number}.tif", "data_type": "uint8"} | _GRID
    return item(f"thing-{number}", "things", properties=properties, assets={"data": asset})


@pytest.fixture
async def catalogue(database: Database, loader: Loader) -> Database:
    """The private collection comes last, so that nothing else has another key for it."""
    secret = collection(MARK, title=f"{MARK} things", description=MARK)
    documents = [of_things(n) for n in range(12)] + [of_secret(n) for n in range(20)]
    await load(loader, collection("things", title="Things"), secret, *documents)
    await visibility.change(database, MARK, True)
    return database


@pytest.fixture(params=[{}, {"validate_queryables": True, "count_limit": 5}, {"reads": "token"}], ids=str)
async def client(request: Any, settings: Settings, catalogue: Database) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(settings.model_copy(update={"writes": "token", "count_wait": 30.0, **request.param})) as client:
        if request.param.get("reads") == "token":
            client.headers.update(await headers_of(catalogue, Grant.of_names(["write"], ["things"])))
        yield client


async def headers_of(database: Database, grant: Grant) -> dict[str, str]:
    _, text = await keys.create(database, "test", grant, None)
    return {"Authorization": f"Bearer {text.get_secret_value()}"}


async def forget(database: Database) -> None:
    """As if the collection had never been."""
    await database.execute(sql("DELETE FROM items i USING collections c WHERE c.key = i.collection AND c.private"))
    await database.execute(sql("DELETE FROM collections WHERE private"))


Told = tuple[int, dict[str, str], bytes]


def told(response: httpx.Response) -> Told:
    headers = {name: value for name, value in response.headers.items() if name not in ("server-timing", "x-request-id")}
    return response.status_code, headers, response.content


def test_every_route_is_asked(settings: Settings, tmp_path: Any) -> None:
    app = create_app(settings.model_copy(update={"writes": "token", "static_dir": tmp_path}))
    routes = [route for route in app.router.routes if isinstance(route, Route | Mount)]
    assert len(routes) == len(app.router.routes)
    there = {(method, route.path) for route in routes for method in (getattr(route, "methods", None) or {"GET"})}
    asked = {(each.method, each.route) for each in [*READS, *WRITES]} | {("POST", "/collections")}
    assert {(method, path) for method, path in there - asked if path not in OF_THE_SERVICE} == set()


async def test_a_private_collection_is_not_there(
    client: httpx.AsyncClient, catalogue: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A count that was in vain is not tried again, whatever has become of the catalogue.
    monkeypatch.setattr("app.counting._SECONDS_IN_VAIN", 0.0)
    owner = await headers_of(catalogue, Grant.of_names(["read"], [MARK]))
    other = await headers_of(catalogue, Grant.of_names(["read", "write"], ["things", f"{MARK}-2"]))
    seen = [told(await asked.of(client, owner)) for asked in READS]

    async def answers() -> list[list[Told]]:
        """As nobody, as somebody else, as one who has an ETag of it, and without a body."""
        found = []
        for asked, (_, headers, _) in zip(READS, seen, strict=True):
            etag = {"If-None-Match": headers.get("etag", "nothing")}
            head = replace(asked, method="HEAD" if asked.method == "GET" else asked.method)
            found.append([told(await asked.of(client, sent)) for sent in ({}, other, etag)])
            found[-1].append(told(await head.of(client)))
        return found

    before = await answers()
    await forget(catalogue)
    after = await answers()
    assert [asked for asked, hidden, gone in zip(READS, before, after, strict=True) if hidden != gone] == []
    # What the owner is told differs, so that the comparison above means something.
    same = [told_[0] == hidden[1][0] and told_[2] == hidden[1][2] for told_, hidden in zip(seen, before, strict=True)]
    assert [asked for asked, equal in zip(READS, same, strict=True) if asked.tells and equal] == []


@pytest.mark.parametrize("writes", ["token", "open"])
async def test_changes_to_it_are_answered_as_if_it_was_not_there(
    settings: Settings, catalogue: Database, writes: str
) -> None:
    async with serving(settings.model_copy(update={"writes": writes})) as client:
        other = await headers_of(catalogue, Grant.of_names(["write"], ["things"]))
        senders: tuple[dict[str, str], ...] = ({}, other)
        before = [[told(await asked.of(client, headers)) for headers in senders] for asked in WRITES]
        expected = [404 if writes == "open" else 401, 404]
        assert [[status for status, _, _ in answers] for answers in before] == [expected] * len(WRITES)
        count = sql("SELECT count(*) AS n FROM items i JOIN collections c ON c.key = i.collection WHERE c.private")
        assert [row["n"] for row in await catalogue.fetch(count)] == [20]
        await forget(catalogue)
        assert [[told(await asked.of(client, headers)) for headers in senders] for asked in WRITES] == before


async def test_who_has_the_right_sees_all_of_it(settings: Settings, catalogue: Database) -> None:
    async with serving(settings) as client:
        for grant in (Grant.of_names(["read"], [MARK]), Grant.of_names(["read"]), Grant.of_names(["create"], [MARK])):
            client.headers.update(await headers_of(catalogue, grant))
            found = (await client.get("/search", params={"limit": 100})).json()
            assert [feature["collection"] for feature in found["features"]] == [MARK] * 20 + ["things"] * 12
            assert found["numberMatched"] == 32
            assert (await client.get(I)).json()["id"] == ITEM
            assert f"{MARK}:only" in (await client.get("/queryables")).json()["properties"]
            assert (await client.get("/queryables")).json()["properties"]["cloud"]["minimum"] == -5000


@pytest.mark.usefixtures("catalogue")
async def test_pages_of_who_does_not_see_it_are_whole(settings: Settings) -> None:
    """The newest items are all private, and the oldest ones are not."""
    async with serving(settings) as client:
        for sortby in ("-datetime", "+datetime", "-cloud", "+id"):
            found: list[str] = []
            url = f"/search?limit=5&sortby={sortby.replace('+', '')}"
            while url and len(found) < 50:
                page = (await client.get(url)).json()
                found += [feature["id"] for feature in page["features"]]
                url = next((link["href"] for link in page["links"] if link["rel"] == "next"), "")
            assert sorted(found) == sorted(f"thing-{n}" for n in range(12))


async def test_a_made_up_token_leads_nowhere(settings: Settings, catalogue: Database) -> None:
    (row,) = await catalogue.fetch(sql("SELECT * FROM items WHERE id = 'classified-7'"))
    for backward in (True, False):
        place = Seek(Position(row["datetime"], row["tie"], row["id"], row["collection"]), backward)
        async with serving(settings) as client:
            answer = await client.get("/search", params={"token": Search().token(place), "limit": 100})
            assert {feature["collection"] for feature in answer.json()["features"]} <= {"things"}
            assert MARK not in answer.text.replace(Search().token(place), "")


@pytest.mark.usefixtures("catalogue")
async def test_a_walk_over_many_hidden_items_ends_in_the_visible_ones(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sql.candidates.PROPERTIES", (1, 1))
    seen = catalog.seen_by(Rights())
    for limit in (1, 3, 12, 40):
        page = await seen.search(Search(limit=limit), Stopwatch())
        assert [found.id for found in page.items] == [f"thing-{n}" for n in reversed(range(12))][:limit]


async def test_it_is_hidden_within_seconds_and_shown_again(
    settings: Settings, database: Database, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visibility, "_ASKED_EVERY", 0.01)
    await load(loader, collection("things"), item())
    async with serving(settings) as client:
        for private, count in ((True, 0), (False, 1)):
            await visibility.change(database, "things", private)
            for _ in range(500):
                if len((await client.get("/search")).json()["features"]) == count:
                    break
            assert len((await client.get("/search")).json()["features"]) == count
            assert (await client.get("/collections/things")).status_code == (404 if private else 200)


async def test_what_is_not_known_to_be_public_is_hidden(catalogue: Database) -> None:
    """A process that the database does not answer any more has no say in what is public."""
    privacy = visibility.Privacy()
    told = [privacy.some]
    await privacy.refresh(catalogue)
    told.append(privacy.some)
    await forget(catalogue)
    await privacy.refresh(catalogue)
    told.append(privacy.some)
    privacy._none_until -= visibility.SECONDS
    assert [*told, privacy.some] == [True, True, False, True]


async def test_the_transaction_extension_leaves_visibility_alone(settings: Settings, catalogue: Database) -> None:
    async with serving(settings.model_copy(update={"writes": "token"})) as client:
        owner = await headers_of(catalogue, Grant.of_names(["write"], [MARK]))
        changed = collection(MARK, private=False)
        assert (await client.put(C, json=changed, headers=owner)).status_code == 204
        assert_error(await client.get(C), 404)
        assert orjson.loads((await client.get(C, headers=owner)).content)["private"] is False
