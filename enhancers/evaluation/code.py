"""Which sources of this package a module's results rest on, as one digest.

A digest over the whole package would make every change of one method recompute all the others.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]

PURE_DATA = frozenset({"registry", "settings", "errors", "listing"})
"""Rooms that cannot change a result whose complete parameters are known."""

LOADED_BY_NAME = {
    "enhancers.classical.pipelines": tuple(
        f"enhancers.classical.{stage}" for stage in ("srad", "n4", "nlm", "clahe")
    )
}
"""Modules of a pipeline, which it imports through the registry."""


@functools.cache
def code_digest(module: str) -> str:
    """SHA-256 over the sources of ``module`` and of all it imports from this package.

    Comments, docstrings and blank lines change no result and do not count.
    """
    digest = hashlib.sha256()
    for path in sorted(_closure(module)):
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0".encode())
        digest.update(_file_digest(path))
    return digest.hexdigest()


@functools.cache
def _file_digest(path: Path) -> bytes:
    return hashlib.sha256(statements(path.read_text(encoding="utf-8")).encode()).digest()


def statements(source: str) -> str:
    """What is left of a module without its comments, docstrings and blank lines."""
    lines = source.splitlines()
    idle, quoted = set[int](), set[int]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        row, column = token.start
        if token.type == tokenize.COMMENT:
            lines[row - 1] = lines[row - 1][:column].rstrip()
        elif token.type == tokenize.STRING:
            quoted.update(range(row, token.end[0] - 1))
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            continue
        # A bare text does nothing, wherever it stands; a line it shares with code stays.
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        own = f"{lines[first][: node.col_offset]}{_after(lines[last], node.end_col_offset)}"
        if isinstance(node.value.value, str) and not own.strip():
            idle.update(range(first, last + 1))
    return "\n".join(
        line
        for row, line in enumerate(lines)
        if row not in idle and (row in quoted or line.strip())
    )


def _after(line: str, column: int | None) -> str:
    """What follows on a line; the syntax tree counts its columns in bytes."""
    return line.encode()[column:].decode()


def _closure(module: str) -> set[Path]:
    seen: set[Path] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        fresh = [path for path in _files(name) if path not in seen]
        seen.update(fresh)
        for path in fresh:
            waiting.extend(_imports(path))
        if fresh:
            waiting.extend(LOADED_BY_NAME.get(name, ()))
    return seen


def _files(name: str) -> list[Path]:
    """The file of a module and the ``__init__`` of the packages it is in; none for pure data."""
    parts = name.split(".")[1:]
    if not parts or parts[0] in PURE_DATA:
        return []
    found = [PACKAGE.joinpath(*parts[:end], "__init__.py") for end in range(1, len(parts) + 1)]
    return [
        path for path in (*found, PACKAGE.joinpath(*parts).with_suffix(".py")) if path.is_file()
    ]


@functools.cache
def _imports(path: Path) -> tuple[str, ...]:
    return tuple(_named(ast.parse(path.read_text(encoding="utf-8"))))


def _named(tree: ast.AST) -> Iterator[str]:
    """What is imported from this package, in functions too; names may be modules themselves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "enhancers":
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.startswith("enhancers."))
