"""The page of the objects and functions of the public face: signatures, members and manuals.

The names are those of the tables in docs/reference/public-face.md. Everything is read from the source as
text, so no ML library is imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from reference_pages.text import page, plain

ROOT = Path(__file__).resolve().parents[2]
FACE = ROOT / "docs" / "reference" / "public-face.md"
INTRO = """\
What hooks are given and return, and what a plugin may call: the names of [the public face](public-face.md)
with their signatures and members. A class has the members of those that it derives from, too."""
PLAIN = ("Protocol", "Exception", "ValueError", "float", "str", "NamedTuple")  # bases that say nothing here
Node = ast.ClassDef | ast.FunctionDef


def objects_page() -> tuple[str, str]:
    """Every name of the public face, by its module."""
    parts = [[INTRO]]
    for module, names in face():
        nodes = [one for name in names if (one := found(module, name)) is not None]
        bases = [one for node in nodes for base in bases_of(node[1]) if (one := found(node[0], base))]
        every = {node.name: node for _, node in [*nodes, *bases]}  # a base that has no name there comes last
        if every:
            parts += [[f"## `{module}`"], *map(described_as, every.values())]
    return page("objects.md", "Objects and functions for plugins", *parts)


def face() -> Iterator[tuple[str, list[str]]]:
    """(module, names) of the tables of the public face; the rows of one module together."""
    by_module: dict[str, list[str]] = {}
    for modules, names in re.findall(r"^\| (`ptx[^|]*) \| ([^|]*) \|", FACE.read_text("utf-8"), re.MULTILINE):
        for module in re.findall(r"`([\w.]+)`", modules):
            by_module.setdefault(module, []).extend(re.findall(r"`(\w+)`", names))
    yield from by_module.items()


def source_of(module: str) -> Path | None:
    """The file of a module of ptx."""
    path = ROOT / module.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file if file.exists() else None


def found(module: str, name: str) -> tuple[str, Node] | None:
    """(module, definition) of a name, also where the module imports it from another of ptx."""
    file = source_of(module)
    if file is None:
        return None
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ptx"):
            origin = next((one.name for one in node.names if (one.asname or one.name) == name), None)
            if origin:
                return found(str(node.module), origin)
    return None


def bases_of(node: Node) -> list[str]:
    """The names of the classes that a class derives from."""
    bases = node.bases if isinstance(node, ast.ClassDef) else []
    return [base.id for base in bases if isinstance(base, ast.Name) and base.id not in PLAIN]


def described_as(node: Node) -> list[str]:
    """The signature, the manual and, of a class, its fields and methods."""
    manual = plain(ast.get_docstring(node) or "").splitlines()
    if isinstance(node, ast.FunctionDef):
        return [f"### `{signature(node)}`", "", *manual]
    members = [line for one in node.body for line in member(one)]
    bases = ", ".join(f"`{base}`" for base in bases_of(node))
    lines = [f"### `{node.name}`" + (f", from {bases}" if bases else ""), "", *manual]
    return [*lines, "", *members] if members else lines


def member(node: ast.stmt) -> list[str]:
    """The line of a field or a method that users see."""
    if isinstance(node, ast.AnnAssign) and not (name := ast.unparse(node.target)).startswith("_"):
        kind, value, said = ast.unparse(node.annotation), node.value, ""
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "setting":
            texts = [one.value for one in value.args[1:] if isinstance(one, ast.Constant)]
            value, said = value.args[0], str(texts[0]) if texts else ""
        default = f" = {ast.unparse(value)}" if value is not None else ""
        return [f"- `{name}: {kind}{default}`" + (f": {said}" if said else "")]
    if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
        return [method_line(node)]
    return []


def signature(node: ast.FunctionDef) -> str:
    """A function as it is declared, without ``self``."""
    arguments = re.sub(r"^(self|cls)(, )?", "", ast.unparse(node.args))
    returned = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({arguments}){returned}"


def method_line(node: ast.FunctionDef) -> str:
    """A method or property with the first paragraph of its manual."""
    marks = [ast.unparse(mark) for mark in node.decorator_list]
    reads = any(mark.endswith("property") for mark in marks)
    returned = f": {ast.unparse(node.returns)}" if node.returns else ""
    shown = f"{node.name}{returned}" if reads else signature(node)
    said = " ".join(plain(ast.get_docstring(node) or "").partition("\n\n")[0].split())
    return f"- `{shown}`" + (f": {said}" if said else "")
