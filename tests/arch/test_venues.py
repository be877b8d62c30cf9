"""An exchange is one folder copied from its neighbour: see docs/add-an-exchange.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.simulate.venues import MOUTHS
from pipeline.core.venues import VENUES
from pipeline.models import DataSource
from tests.arch.sources import ROOT

FOLDER = ROOT / "pipeline/core/venues"
SIMULATED = ROOT / "pipeline/core/simulate"
TESTS = ROOT / "tests/unit/pipeline/core"
EXCHANGES = sorted(path.parent.name for path in FOLDER.glob("*/__init__.py"))

FILES = {
    "__init__", "venue", "channels", "decode", "shapes", "records", "replies", "sequence", "rest",
}  # fmt: skip
# Tested by way of the decoder.
DECODING = {"decode", "shapes", "records", "replies"}
REST_OF_IT = FILES - DECODING - {"__init__", "venue"}


def names(paths) -> set[str]:
    return {Path(path).stem for path in paths}


def folder_of(venue: type) -> str:
    """Return which folder a class is written in."""
    return venue.__module__.split(".")[3]


def test_there_are_exchanges():
    assert {"binance", "okx", "deribit"} <= set(EXCHANGES)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_every_exchange_has_the_same_files(exchange):
    assert names((FOLDER / exchange).glob("*.py")) == FILES


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_every_exchange_is_registered(exchange):
    assert exchange in {folder_of(venue) for venue in VENUES.values()}


def test_every_venue_goes_by_its_own_name():
    assert {name: venue.name for name, venue in VENUES.items()} == {name: name for name in VENUES}


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_every_exchange_has_tests_of_its_decoder_and_of_all_else(exchange):
    tested = names(TESTS.glob(f"test_{exchange}_*.py"))

    assert f"test_{exchange}_decode" in tested
    # One file for each part, or one that asks the whole class.
    parts = {f"test_{exchange}_{part}" for part in REST_OF_IT}
    assert parts <= tested or f"test_{exchange}_venue" in tested


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_every_exchange_is_compared_with_recorded_traffic(exchange):
    assert (ROOT / f"tests/recorded/test_{exchange}.py").is_file()


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_every_exchange_is_simulated(exchange):
    assert (SIMULATED / exchange / "__init__.py").is_file()
    assert (TESTS / f"test_simulated_{exchange}.py").is_file()


def test_every_venue_is_simulated():
    assert set(MOUTHS) == set(VENUES)


def test_an_operator_can_choose_every_venue():
    assert set(DataSource.Venue.values) == set(VENUES)
    assert {name: str(DataSource.Venue(name).label) for name in VENUES} == {
        name: venue.title for name, venue in VENUES.items()
    }
