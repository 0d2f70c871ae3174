"""Readers of a written report."""

import re


def texts(report):
    """The HTML and the Markdown."""
    return report.html.read_text(encoding="utf-8"), report.markdown.read_text(encoding="utf-8")


def table(html, heading):
    """The first table after a heading, as a list of rows of cells' words."""
    part = html[html.index(heading) :]
    body = part[part.index("<tbody>") : part.index("</tbody>")]
    return [
        [re.sub(r"<[^>]+>", " ", cell).split() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        for row in body.split("</tr>")[:-1]
    ]


def labels(report):
    """The labels of the rows."""
    return [row.label for row in report.frame.rows]
