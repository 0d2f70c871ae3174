"""Readers of a written report."""

import json
import re


def data_of(report):
    """The data of the page, as its script reads it."""
    html = report.html.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', html, re.DOTALL)[1])


def words_of(value):
    """All texts of the page's data, a line each; a sentence of several spans is one line."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "\n".join(words_of(one) for one in value.values())
    if not isinstance(value, list):
        return str(value)
    if value and all(isinstance(one, list) and len(one) == 2 and isinstance(one[0], str) for one in value):
        return "".join(str(text) for text, _ in value)
    return "\n".join(words_of(one) for one in value)


def texts(report):
    """The words of the page, and the Markdown."""
    return words_of(data_of(report)), report.markdown.read_text(encoding="utf-8")


def marks(report, name):
    """Label -> mark of a metric, as the page shows them."""
    data = data_of(report)
    metric = next(one for one in data["metrics"] if one["name"] == name)
    found = metric.get("mark", "." * len(data["rows"]["label"]))
    return dict(zip(data["rows"]["label"], found, strict=True))


def column(report, name, end="v"):
    """The values of a metric (``v``, ``lo``, ``hi``, ``d``, ``dlo``, ``dhi``), as the page reads them."""
    metric = next(one for one in data_of(report)["metrics"] if one["name"] == name)
    return [float(text) if text else float("nan") for text in str(metric[end]).split(",")]


def labels(report):
    """The labels of the rows."""
    return [row.label for row in report.frame.rows]
