"""What the lab's tests share. Without torch they skip, and say so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

pytest.register_assert_rewrite("official")


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


@pytest.fixture(scope="module")
def dit(cpu: Any) -> Any:
    """The network of the official runs (official.py). One for each module: fast passes lay its
    weights out anew."""
    import torch

    from generator.lab.models import weights
    from generator.measure.roofline import WAN_1_3B

    model = weights.build(replace(WAN_1_3B, layers=2), device=cpu, dtype=torch.float32)
    weights.fill_randomly(model, 1)
    return model
