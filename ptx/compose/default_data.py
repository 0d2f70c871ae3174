"""The data that goes with a model where none is named: what its plugin says, or what it was made on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ptx.files import read_json
from ptx.hooks.host import Host

Values = list[tuple[str, Any]]


def companion(host: Host, choices: dict[str, str], values: Values, notes: list[str]) -> None:
    """Choose the data of a model that brings its own (``Choice.data``), or that of the run whose folder
    ``model=`` points into; the latter is said.
    """
    if "data" in choices:
        return
    model = host.choices.get(("model", choices.get("model", "tiny")))
    if model is not None and model.data:
        choices["data"] = model.data
        return
    folder = next((str(value) for key, value in values if key == "model.path"), "")
    made_on = _made_on(Path(folder)) if folder else {}
    name = str(made_on.get("choice", "")).removeprefix("data=")
    path = made_on.get("path")
    if ("data", name) not in host.choices or (path and not Path(path).expanduser().exists()):
        return
    choices["data"] = name
    values += [
        (f"data.{field}", made_on[field])
        for field in ("path", "id", "columns", "shape")
        if made_on.get(field)
    ]
    notes.append(f"data={path or made_on.get('id') or name}, as in the run that made {folder}")


def _made_on(model: Path) -> dict[str, Any]:
    """The data of the run whose folder holds this model (``RUN/model``), as its record says; nothing for any
    other folder.
    """
    record = model.parent / "run.json"
    if model.name != "model" or not record.is_file():
        return {}
    try:
        config = read_json(record).get("config") or {}
    except ValueError:
        return {}
    data = config.get("data")
    return data if isinstance(data, dict) else {}
