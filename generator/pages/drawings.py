"""Charts as they were drawn, kept from build to build: drawing takes Plotly and NumPy, whose
loading alone takes longer than printing many pages.

A drawing is known by the digest of all that it is drawn from, code included, so it is never out of
date; what cannot be read is drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from generator.charts import Cell, Chart, LegendEntry, LegendGroup, Table
from generator.kept import read_json, write_json

FOLDER = "charts"


def drawn(cache: Path | None, key: str, draw: Callable[[], tuple[Chart, ...]]) -> tuple[Chart, ...]:
    """What is kept in `cache` under `key`, else what `draw` draws, which then is kept there."""
    if cache is None:
        return draw()
    place = _place(cache, key)
    with suppress(KeyError, TypeError):
        return tuple(_chart(one) for one in read_json(place)["charts"])
    charts = draw()
    with suppress(OSError):
        write_json(place, {"charts": [asdict(one) for one in charts]})
    return charts


def forget(cache: Path, wanted: Iterable[str]) -> None:
    """Remove every drawing but those under the keys that are `wanted`."""
    places = {_place(cache, key) for key in wanted}
    with suppress(OSError):
        for path in (cache / FOLDER).iterdir():
            if path not in places:
                path.unlink()


def _place(cache: Path, key: str) -> Path:
    return cache / FOLDER / f"{key}.json"


def _chart(kept: dict[str, Any]) -> Chart:
    return Chart(
        **{
            **kept,
            "legend": tuple(_group(one) for one in kept["legend"]),
            "table": _table(kept["table"]),
            "fits": _table(kept["fits"]) if kept["fits"] else None,
            "notes": tuple(kept["notes"]),
        }
    )


def _group(kept: dict[str, Any]) -> LegendGroup:
    entries = (LegendEntry(**{**one, "traces": tuple(one["traces"])}) for one in kept["entries"])
    return LegendGroup(**{**kept, "entries": tuple(entries)})


def _table(kept: dict[str, Any]) -> Table:
    return Table(
        caption=kept["caption"],
        columns=tuple(kept["columns"]),
        rows=tuple(tuple(Cell(**cell) for cell in row) for row in kept["rows"]),
    )
