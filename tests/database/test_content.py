import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.database.content import Decoder, Encoder, train
from app.stac import document as documents
from tests.factories import item

DICE = random.Random(3)
ITEMS = [
    documents.dump(item(f"S2_{DICE.randbytes(6).hex()}", properties={"eo:cloud_cover": DICE.random()}))
    for _ in range(100)
]


@pytest.fixture(scope="module")
def dictionary() -> bytes:
    trained = train(ITEMS)
    assert trained is not None
    return trained


@given(content=st.binary() | st.sampled_from(ITEMS) | st.binary().map(lambda data: data * 1000))
def test_content_comes_back(dictionary: bytes, content: bytes) -> None:
    assert Decoder().decode(Encoder().encode(content)) == content
    assert Decoder(dictionary).decode(Encoder(dictionary).encode(content)) == content


def test_plain_content_needs_no_dictionary(dictionary: bytes) -> None:
    """So that a process can read what was stored before there was one."""
    assert Decoder(dictionary).decode(Encoder().encode(ITEMS[0])) == ITEMS[0]


def test_dictionary_is_worth_it(dictionary: bytes) -> None:
    encoder, plain = Encoder(dictionary), Encoder()
    unseen = documents.dump(item("S2_new", properties={"eo:cloud_cover": 0.5}))
    assert len(encoder.encode(unseen)) < len(plain.encode(unseen)) / 2


def test_same_content_is_the_same_bytes(dictionary: bytes) -> None:
    """An upsert tells by them that nothing changed."""
    assert Encoder(dictionary).encode(ITEMS[0]) == Encoder(dictionary).encode(ITEMS[0])


def test_training_is_repeatable() -> None:
    assert train(ITEMS) == train(ITEMS)


@pytest.mark.parametrize(
    ("contents", "is_trained"),
    [
        ([], False),
        (ITEMS[:63], False),
        (ITEMS[:64], True),
        (ITEMS * 20, True),
        ([b""] * 64, False),
        ([b"a"] * 64, False),
        ([b"{}"] * 2000, False),
    ],
    ids=["none", "63", "64", "2000", "empty", "one letter", "short"],
)
def test_what_is_enough_to_learn_from(contents: list[bytes], is_trained: bool) -> None:
    trained = train(contents)
    assert (trained is not None) == is_trained
    assert trained is None or len(trained) <= 112_640


def test_incompressible_contents_do_no_harm() -> None:
    contents = [DICE.randbytes(500) for _ in range(100)]
    trained = train(contents)
    assert Decoder(trained).decode(Encoder(trained).encode(contents[0])) == contents[0]
