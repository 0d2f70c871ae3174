"""The data for a model where none is named: that of its plugin, or of the run that made the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ptx.files import read_json
from ptx.hooks.host import Host

Values = list[tuple[str, Any]]


def add_default_data(host: Host, choices: dict[str, str], values: Values, notes: list[str]) -> None:
    """Add the data to ``choices`` where none is named.

    It is the data that the model's choice names (``Choice.data``), or that of the run whose folder ``model=``
    points into; the latter is added to ``notes``.
    """
    if "data" in choices:
        return
    model = host.choices.get(("model", choices.get("model", "tiny")))
    if model is not None and model.data:
        choices["data"] = model.data
        return
    folder = next((str(value) for key, value in values if key == "model.path"), "")
    used = _data_of_run(Path(folder)) if folder else {}
    name = str(used.get("choice", "")).removeprefix("data=")
    path = used.get("path")
    if ("data", name) not in host.choices or (path and not Path(path).expanduser().exists()):
        return
    choices["data"] = name
    fields = ("path", "id", "columns", "shape")
    values += [(f"data.{field}", used[field]) for field in fields if used.get(field)]
    notes.append(f"data={path or used.get('id') or name}, as in the run that made {folder}")


def _data_of_run(model: Path) -> dict[str, Any]:
    """The recorded data of the run whose folder holds this model (``RUN/model``); empty for other folders."""
    record = model.parent / "run.json"
    if model.name != "model" or not record.is_file():
        return {}
    try:
        config = read_json(record).get("config") or {}
    except ValueError:
        return {}
    data = config.get("data")
    return data if isinstance(data, dict) else {}
