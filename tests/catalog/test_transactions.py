"""What a catalogue is changed by, without HTTP."""

import threading
from typing import Any

import pytest

from app.bulk.load import Loader
from app.catalog import Catalog
from app.settings import Settings
from app.stac.validation import CORE
from app.transactions import Precondition, Transactions
from tests.factories import collection, item, load

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("size", "aside"), [(1_000, False), (5_000_000, True)])
async def test_a_long_change_is_worked_out_beside_the_event_loop(
    catalog: Catalog, loader: Loader, settings: Settings, size: int, aside: bool
) -> None:
    """However short what it changes is."""
    await load(loader, collection(), item())
    threads = set()

    def change(before: Any) -> Any:
        threads.add(threading.current_thread())
        return before

    transactions = Transactions.of(settings, catalog, CORE)
    await transactions.change_item("things", "thing", change, size, Precondition())
    await transactions.change_collection("things", change, size, Precondition())
    assert (threading.current_thread() not in threads) is aside
