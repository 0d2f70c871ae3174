"""The skills of the demonstration model: name -> function that draws an item."""

from __future__ import annotations

from ptx_tiny.arithmetic import add, largest, subtract
from ptx_tiny.items import Drawer
from ptx_tiny.letters import count, reverse, sort
from ptx_tiny.refusals import refuse
from ptx_tiny.words import lookup, mark, odd, translate

ANSWERED: dict[str, Drawer] = {
    "add": add,
    "subtract": subtract,
    "largest": largest,
    "sort": sort,
    "reverse": reverse,
    "count": count,
    "mark": mark,
    "lookup": lookup,
    "translate": translate,
    "odd": odd,
}
SKILLS: dict[str, Drawer] = {**ANSWERED, "refuse": refuse}
