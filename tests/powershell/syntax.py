"""PowerShell as a syntax tree: what the tests ask about scripts that nothing here can run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "powershell" / "VDiskKit"
SCRIPTS = sorted(
    path
    for folder in ("powershell", "examples")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".ps1", ".psm1", ".psd1")
)
_PARSER = Parser(Language(tree_sitter_powershell.language()))
_SET = {"true": True, "false": False, "null": None}


@dataclass
class Parameter:
    """A parameter of a function."""

    name: str
    mandatory: bool
    aliases: list[str]
    choices: list[str]
    type: str


@dataclass
class Function:
    """A function of the module."""

    name: str
    node: Node
    file: Path
    parameters: dict[str, Parameter] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return text(self.node)


@dataclass
class Call:
    """A command as it is called: the name, and for each ``-Name`` the node behind it."""

    name: str
    parameters: dict[str, Node | None]
    node: Node


def parse(source: str | bytes) -> Node:
    data = source.encode("utf-8") if isinstance(source, str) else source
    return _PARSER.parse(data).root_node


@cache
def tree(path: Path) -> Node:
    return parse(path.read_bytes())


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def nodes(node: Node, *kinds: str) -> list[Node]:
    return [item for item in walk(node) if item.type in kinds]


def text(node: Node) -> str:
    assert node.text is not None
    return node.text.decode("utf-8")


def faults(node: Node) -> list[str]:
    """Where the grammar was not kept."""
    return [
        f"line {item.start_point[0] + 1}: {item.type} {text(item)[:60]!r}"
        for item in walk(node)
        if item.type == "ERROR" or item.is_missing
    ]


def literal(node: Node) -> Any:
    """The value of a table, list, text or constant: what a data file may hold, and nothing else."""
    if node.type == "hash_literal_expression":
        return {
            text(entry.named_children[0]).strip("'"): literal(entry.named_children[1])
            for entry in nodes(node, "hash_entry")
            if _owner(entry) == node
        }
    if node.type == "array_expression":
        return [literal(item) for item in _elements(node)]
    if node.type == "string_literal":
        return string(node)
    if node.type == "integer_literal":
        return int(text(node))
    if node.type == "variable":
        return _SET[text(node).removeprefix("$").lower()]
    inner = [child for child in node.named_children if child.type != "comment"]
    assert len(inner) == 1, f"no literal: {text(node)[:80]}"
    return literal(inner[0])


def string(node: Node) -> str:
    """The text of a string literal in single quotes."""
    source = text(node)
    assert source[0] == source[-1] == "'", source
    return source[1:-1].replace("''", "'")


def functions(path: Path) -> dict[str, Function]:
    found = {}
    for node in nodes(tree(path), "function_statement"):
        (name, *_) = nodes(node, "function_name")
        function = Function(text(name), node, path)
        for item in nodes(node, "script_parameter"):
            parameter = _parameter(item)
            function.parameters[parameter.name.lower()] = parameter
        found[function.name] = function
    return found


def calls(node: Node) -> list[Call]:
    """The commands that are called, those inside others too."""
    found = []
    for command in nodes(node, "command"):
        names = [child for child in command.named_children if child.type == "command_name"]
        if not names:  # a script that is dot-sourced, or a block that is called
            continue
        parameters: dict[str, Node | None] = {}
        last = None
        for group in (child for child in command.children if child.type == "command_elements"):
            for element in group.children:
                if element.type == "command_parameter":
                    last = text(element).removeprefix("-").removesuffix(":")
                    parameters[last] = None
                elif element.type not in ("command_argument_sep", ":") and last is not None:
                    parameters[last] = element
                    last = None
        found.append(Call(text(names[0]), parameters, command))
    return found


def help_sections(function: Function) -> list[tuple[str, str, str]]:
    """Keyword, argument and text of each section of the comment-based help."""
    comments = [child for child in function.node.children if child.type == "comment"]
    assert len(comments) == 1, f"{function.name} has no help"
    body = text(comments[0]).removeprefix("<#").removesuffix("#>")
    parts = re.split(r"^    \.([A-Z]+)(?: (\w+))?$", body, flags=re.MULTILINE)
    assert not parts[0].strip()
    return [(parts[i], parts[i + 1] or "", parts[i + 2].strip("\n")) for i in range(1, len(parts), 3)]


def members(node: Node) -> list[list[str]]:
    """Every chain of members, such as ``["$line", "Result", "Digest"]``; what is no plain name ends a chain."""
    outermost = [item for item in nodes(node, "member_access") if item.parent and item.parent.type != "member_access"]
    return [_chain(item) for item in outermost]


def _chain(node: Node) -> list[str]:
    head, *rest = node.named_children
    names = [text(name) for name in rest if name.type == "member_name"]
    return [*(_chain(head) if head.type == "member_access" else [text(head)]), *names]


def _elements(node: Node) -> Iterator[Node]:
    """The elements of ``@(...)``: one list, or one statement a line."""
    for statement in (item for child in node.named_children for item in child.named_children):
        if statement.type == "comment":
            continue
        (listed, *_) = nodes(statement, "array_literal_expression")
        yield from (child for child in listed.named_children if child.type != "comment")


def _owner(entry: Node) -> Node | None:
    node = entry.parent
    while node is not None and node.type != "hash_literal_expression":
        node = node.parent
    return node


def _parameter(node: Node) -> Parameter:
    (variable,) = [child for child in node.named_children if child.type == "variable"]
    mandatory, aliases, choices, kind = False, [], [], ""
    for attribute in nodes(node, "attribute"):
        name = text(attribute).strip("[]").partition("(")[0]
        strings = [string(item) for item in nodes(attribute, "string_literal")]
        if name == "Parameter":
            mandatory |= "Mandatory = $true" in text(attribute)
        elif name == "Alias":
            aliases = strings
        elif name == "ValidateSet":
            choices = strings
        elif "(" not in text(attribute):
            kind = text(attribute).strip()[1:-1]
    return Parameter(text(variable).removeprefix("$"), mandatory, aliases, choices, kind)
