"""What is written about the project is true of it."""

from __future__ import annotations

import re
from pathlib import Path

from generator.catalogue.reference import reference

REPOSITORY = Path(__file__).resolve().parent.parent


def test_the_content_reference_is_generated_from_the_types() -> None:
    written = (REPOSITORY / "docs" / "content.md").read_text("utf-8")
    assert written == reference(), "run `make docs`"


def test_links_between_documents_lead_somewhere() -> None:
    for document in (*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")):
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_make_targets_named_in_documents_exist() -> None:
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    for document in (*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").glob("*.md")):
        for target in re.findall(r"`make ([a-z]+)", document.read_text("utf-8")):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{document.name}: {target}"
