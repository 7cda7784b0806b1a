"""Input listing: its memory, even for names that are chosen to be expensive."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from obstore.store import MemoryStore
from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.objects.listing import list_input
from reconstruction_operator.transfer.objects.process import FetchRequest


def test_deep_names_take_no_more_memory_than_their_length() -> None:
    store = MemoryStore()
    names = [f"{number:04}/{'a/' * 500}x.jpg" for number in range(200)]
    for name in names:
        store.put(f"set/{name}", b"1")
    address = ObjectAddress("s3", "photos", "set", is_folder=True)
    wanted = FetchRequest(address, Path("unused"), max_bytes=1 << 20, max_files=200)
    tracemalloc.start()
    try:
        listing = list_input(store, wanted)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(listing.objects) == 200
    assert peak < 20 * sum(map(len, names))
