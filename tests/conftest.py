"""What tests in every room may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ARCHIVE = Path(__file__).resolve().parents[2] / "shared" / "archive"


# No test asserts a time: what is slow here is the machine.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def archive_folder() -> Path:
    return Path(os.environ.get("MATRIX_ARCHIVE_CLIPS") or ARCHIVE)


def archive_at_hand() -> bool:
    """Whether the real clips are here."""
    return (archive_folder() / "archive.csv").is_file()


@pytest.fixture(scope="session")
def archive() -> Path:
    """The folder with the 35 real clips of the original page, and archive.csv; read only."""
    folder = archive_folder()
    if not archive_at_hand():
        pytest.skip(
            f"real archive absent: no archive.csv in {folder}; "
            "name the folder with MATRIX_ARCHIVE_CLIPS"
        )
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--refresh-golden",
        action="store_true",
        help="take the sample's site as it is now over into tests/golden/",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test in a real browser that fails is run once more, and `-rR` tells of it: on a busy
    machine a browser may do nothing for seconds. What fails twice has failed, and so has a wrong
    frame, once."""
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1, rerun_except=["wrong frame"]))
