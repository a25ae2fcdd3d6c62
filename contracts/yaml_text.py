"""YAML text as plain data, together with the line that each part stands on.

YAML 1.1's habit of making dates of strings is turned off: a contract's values are JSON's types, nothing else. A key given
twice in one mapping is a fault, because the reader that comes next would silently keep one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

TIMESTAMP_TAG = "tag:yaml.org,2002:timestamp"
Path = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """SafeLoader without timestamps."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != TIMESTAMP_TAG]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class Fault:
    """Something that makes the text no usable YAML, and the line (from 1) that it stands on."""

    line: int
    message: str
    readable: bool = False
    """Whether there is data nevertheless: then all else that is wrong with it can be told too."""


@dataclass(frozen=True)
class Text:
    """Parsed YAML: the data, the line of each path in it, and the faults found."""

    data: Any
    lines: dict[Path, int]
    faults: tuple[Fault, ...] = ()

    def line(self, path: Sequence[str | int]) -> int:
        """Return the line of the nearest part at or above the path."""
        at = tuple(path)
        while at not in self.lines and at:
            at = at[:-1]
        return self.lines.get(at, 1)


def parse(text: str) -> Text:
    """Return the first document of the text, and what is wrong with it; no data where there is none to be sure of."""
    lines: dict[Path, int] = {}
    faults: list[Fault] = []
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is not None:
            _walk(node, (), lines, faults, set())
        data = loader.construct_document(node) if node is not None and all(fault.readable for fault in faults) else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        return Text(None, {}, (Fault(mark.line + 1 if mark else 1, error.problem or str(error)),))
    except RecursionError:
        return Text(None, {}, (Fault(1, "the text is nested too deep"),))
    except yaml.YAMLError as error:
        return Text(None, {}, (Fault(1, str(error).splitlines()[0]),))
    return Text(data, lines, tuple(faults))


def _walk(node: yaml.Node, path: Path, lines: dict[Path, int], faults: list[Fault], walked: set[int]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if not isinstance(node, yaml.ScalarNode) and id(node) in walked:
        # A few nested aliases would stand for more data than fits in memory, or for a part that holds itself.
        faults.append(Fault(lines[path], "an alias repeats a part of the file: expected it written out"))
        return
    walked.add(id(node))
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if key.tag != "tag:yaml.org,2002:str":
                came = repr(name) if isinstance(key, yaml.ScalarNode) else "that is a list or mapping"
                faults.append(Fault(key.start_mark.line + 1, f"the key {came} is no text: write it in quotes"))
            if name in seen:
                faults.append(Fault(key.start_mark.line + 1, f"the key {name!r} stands here twice", readable=True))
            seen.add(name)
            lines[(*path, name)] = key.start_mark.line + 1
            _walk(value, (*path, name), lines, faults, walked)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(item, (*path, index), lines, faults, walked)
