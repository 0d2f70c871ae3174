"""YAML as plain data, bounded: no tags that make objects, no key twice, no depth or number without end.

Nine lines of aliases name a thousand million values, so the aliases are counted before they are written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from ptx.guard.reading import DEEPEST, MB, FileError, read_text

MOST_VALUES = 100_000  # of a file, its aliases written out
#: libyaml's loader where it is there: it is fast, but a text that nests too deep ends its process
SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(text: str, name: Path | str, loader: Any = SafeLoader) -> Any:
    """The value of a YAML text; ``name`` is what an error calls it.

    Tags make no Python objects: ``loader`` is a safe one. A key that is given twice is refused.
    """
    with _yaml_faults(name):
        _check_depth(text, name)
        reader = loader(text)
        try:
            node = reader.get_single_node()
            if node is None:
                return None
            _check_size(node, name)
            _check_keys(node, name)
            return reader.construct_document(node)
        finally:
            reader.dispose()


@contextmanager
def _yaml_faults(name: Path | str) -> Iterator[None]:
    try:
        yield
    except FileError:
        raise
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        if "constructor for the tag" in what:
            what = f"the tag {what.rpartition('tag ')[2]} is not allowed here"
        raise FileError(name, f"it is not YAML: {line}{what}") from error
    except RecursionError as error:
        raise FileError(name, f"its values lie more than {DEEPEST} deep in each other") from error
    except (ValueError, TypeError, OverflowError) as error:  # a date such as 2020-99-99
        raise FileError(name, f"a value in it cannot be read: {error}") from error


def _check_depth(text: str, name: Path | str) -> None:
    """Refuse a text whose values lie too deep, from its events: those are read without recursion."""
    depth = 0
    for event in yaml.parse(text, Loader=SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise FileError(name, f"its values lie more than {DEEPEST} deep in each other")


def _check_size(node: yaml.Node, name: Path | str) -> None:
    """Refuse values that lie too deep, contain themselves, or are too many once the aliases are written out.

    A node that several aliases name is counted once, and its size is remembered.
    """
    sizes: dict[int, int] = {}

    def size(one: yaml.Node, depth: int) -> int:
        if id(one) in sizes:
            if sizes[id(one)] < 0:
                raise FileError(name, f"line {_line(one)}: a value contains itself (an alias of its anchor)")
            return sizes[id(one)]
        if depth > DEEPEST:
            raise FileError(name, f"its values lie more than {DEEPEST} deep in each other")
        sizes[id(one)] = -1
        sizes[id(one)] = 1 + sum(size(inner, depth + 1) for inner in _children(one))
        return sizes[id(one)]

    if (count := size(node, 0)) > MOST_VALUES:
        raise FileError(name, f"its aliases stand for {count:,} values, more than {MOST_VALUES:,}")


def _check_keys(node: yaml.Node, name: Path | str) -> None:
    """Refuse a mapping that has a key twice: YAML would keep the last one without a word."""
    seen: set[int] = set()
    todo = [node]
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        todo += _children(one)
        if isinstance(one, yaml.MappingNode):
            keys: set[str] = set()
            for key, _ in one.value:
                if isinstance(key, yaml.ScalarNode) and key.value != "<<" and key.value in keys:
                    raise FileError(name, f"line {_line(key)}: the key {key.value!r} is given twice")
                keys.add(str(key.value))


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def read_yaml(path: Path, loader: Any = SafeLoader, most_bytes: int = MB) -> Any:
    """The value of a YAML file."""
    return parse_yaml(read_text(path, most_bytes), path, loader)
