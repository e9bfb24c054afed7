"""What the lab's tests share. Without torch they skip, and say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

GOLDEN = Path(__file__).parent / "golden"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Only one thread: the models are tiny, and other tests run beside these."""
    try:
        import torch
    except ImportError:
        return
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cpu() -> Any:
    import torch

    return torch.device("cpu")
