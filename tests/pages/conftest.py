"""The sample archive, rendered once."""

from __future__ import annotations

import pytest

from generator.pages import Rendered, render
from pages import sample


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    evidence = sample.evidence(tmp_path_factory.mktemp("media"))
    return render(sample.CATALOGUE, evidence, templates=sample.TEMPLATES, assets=sample.ASSETS)
