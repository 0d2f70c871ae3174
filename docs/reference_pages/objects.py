"""The page of the objects and functions of the public face: signatures, members and manuals.

The names are those of the tables in docs/reference/public-face.md. Everything is read from the source as
text, so no ML library is imported.
"""

from __future__ import annotations

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from reference_pages.text import page, plain

ROOT = Path(__file__).resolve().parents[2]
FACE = ROOT / "docs" / "reference" / "public-face.md"
INTRO = """\
What hooks are given and return, and what a plugin may call: the names of [the public face](public-face.md)
with their signatures and members. A class has the members of those that it derives from, too. What a function
returns stands behind the functions of its module."""
PLAIN = ("Protocol", "Exception", "ValueError", "float", "str", "NamedTuple")  # bases that say nothing here
Node = ast.ClassDef | ast.FunctionDef


def objects_page() -> tuple[str, str]:
    """Every name of the public face, by its module."""
    parts = [[INTRO]]
    named = {module: [one for name in names if (one := found(module, name))] for module, names in face()}
    shown = {(of, node.name) for nodes in named.values() for of, node in nodes}
    for module, nodes in named.items():
        bases = [one for of, node in nodes for base in bases_of(node) if (one := found(of, base))]
        returned = [one for of, node in nodes for name in returned_by(node) if (one := found(of, name))]
        new = [(of, node) for of, node in returned if (of, node.name) not in shown]
        shown |= {(of, node.name) for of, node in new}
        # what has no name there comes last
        every = {node.name: (of, node) for of, node in [*nodes, *bases, *new]}
        if every:
            parts += [[f"## `{module}`"], *(described_as(of, node) for of, node in every.values())]
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
    for node in statements(file):
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ptx"):
            origin = next((one.name for one in node.names if (one.asname or one.name) == name), None)
            if origin:
                return found(str(node.module), origin)
    return None


def statements(file: Path) -> Iterator[ast.stmt]:
    """The statements at the top of a module, those for type checkers too."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        yield from node.body if isinstance(node, ast.If) else [node]


def bases_of(node: Node) -> list[str]:
    """The names of the classes that a class derives from."""
    bases = node.bases if isinstance(node, ast.ClassDef) else []
    return [base.id for base in bases if isinstance(base, ast.Name) and base.id not in PLAIN]


def returned_by(node: Node) -> list[str]:
    """The names of the types that a function returns."""
    if not isinstance(node, ast.FunctionDef) or node.returns is None:
        return []
    return [one.id for one in ast.walk(node.returns) if isinstance(one, ast.Name)]


def described_as(module: str, node: Node) -> list[str]:
    """The signature, the manual and, of a class, how it is made, its fields and methods."""
    manual = plain(ast.get_docstring(node) or "").splitlines()
    if isinstance(node, ast.FunctionDef):
        return [f"### `{signature(node)}`", "", *manual]
    comments = comments_of(module)
    members = [line for one in node.body for line in member(one, comments)]
    made = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"]
    calls = [signature(one).removeprefix("__init__").removesuffix(" -> None") for one in made]
    members = [*(f"- `{node.name}{call}`: how it is made" for call in calls), *members]
    bases = ", ".join(f"`{base}`" for base in bases_of(node))
    lines = [f"### `{node.name}`" + (f", from {bases}" if bases else ""), "", *manual]
    return [*lines, "", *members] if members else lines


def comments_of(module: str) -> dict[int, str]:
    """Line -> the comment behind its code."""
    file = source_of(module)
    assert file is not None
    with file.open("rb") as lines:
        tokens = list(tokenize.tokenize(lines.readline))
    return {
        token.start[0]: plain(token.string.lstrip("# "))
        for token in tokens
        if token.type == tokenize.COMMENT and token.line.split("#")[0].strip()
    }


def member(node: ast.stmt, comments: dict[int, str]) -> list[str]:
    """The line of a field or a method that users see; a field without help is told by its comment."""
    if isinstance(node, ast.AnnAssign) and not (name := ast.unparse(node.target)).startswith("_"):
        kind, value, said = ast.unparse(node.annotation), node.value, ""
        own = (comments.get(number, "") for number in range(node.lineno, (node.end_lineno or 0) + 1))
        said = next((text for text in own if text and not text.startswith(("noqa", "type:"))), "")
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
