"""Digest of the code that a result depends on, independent of the names of files.

It covers the definitions of a module, and every function, class and constant of this package that
these use, directly or through others, or load by name; what else a file defines does not count.
Nor do comments, docstrings, imports and the texts of raised errors, which cannot change a result,
and the modules of `PURE_DATA`, whose effect on a result is in its parameters. An annotation counts,
but not what it names.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PURE_DATA = frozenset(
    {
        "registry",
        "settings",
        "errors",
        "asset_files",
        "source_digest",
        "html_templates",
        "files",
        "added_networks",
        "user_folders",
        "warm_up",
    }
)
"""Modules of the package that cannot change a result whose complete parameters are known."""

HERE = Path(__file__).resolve().parents[1]
"""The folder in which this package lies."""

_IMPORTS = (ast.Import, ast.ImportFrom)
_LOADERS = frozenset({"import_module", "load_method"})
_ANNOTATIONS = frozenset({"annotation", "returns"})

Definition = tuple[Path, str]
"""A file and a name that it defines."""


@functools.cache
def source_digest(*modules: str, root: Path = HERE) -> str:
    """SHA-256, as hex, over the code of modules and of all that they rest on.

    A definition counts by what it does for the result, either in one of ``modules`` or used by
    them, and never by its place: moving a function or renaming a module does not change the digest.

    Parameters
    ----------
    *modules : str
        Dotted names, such as ``"enhancers.classical.srad"``.
    root : Path
        The folder in which the package lies.

    Raises
    ------
    ModuleNotFoundError
        One of ``modules`` has no source.
    """
    named = {path for module in modules for path in _required(root, module)}
    digest = hashlib.sha256()
    counted = (
        ("named" if path in named else "used", code)
        for path, name in definitions(*modules, root=root)
        for code in _module(path).digests(name)
    )
    for role, code in sorted(counted):
        digest.update(f"{role}\0{code}\n".encode())
    return digest.hexdigest()


@functools.cache
def method_digest(key: str) -> str:
    """`source_digest` of the method with this registry key.

    Raises
    ------
    UnknownMethod
    """
    from enhancers.registry import get

    return source_digest(get(key).implementation)


def definitions(*modules: str, root: Path = HERE) -> set[Definition]:
    """The definitions that modules rest on: their own, and all that these use or load by name.

    The statements of a file that define nothing have the name "". ``modules`` and ``root`` are as
    for `source_digest`.
    """
    seen: set[Definition] = set()
    waiting = [one for module in modules for one in _whole(root, module)]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting.extend(_rests_on(root, *one))
    return seen


def statements(source: str) -> str:
    """What a module's code computes, as text: equal for sources that differ in words alone."""
    return _written(ast.parse(source))


@dataclass(frozen=True, eq=False)
class _Module:
    """The parsed code of a file.

    ``defined`` has the statements by the name that they define, those that define none under "";
    ``imported`` has what local names stand for, as a module and a name in it, or "" for itself.
    """

    tree: ast.Module
    defined: dict[str, list[ast.stmt]] = field(default_factory=lambda: defaultdict(list))
    imported: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))

    def passed_on(self) -> Iterator[tuple[str, str]]:
        """What it imports and does not use itself."""
        used = {name for node in self.tree.body for name, _ in _used(node)}
        imports = [node for node in self.tree.body if isinstance(node, ast.ImportFrom)]
        for node in imports:
            for alias in node.names:
                if (alias.asname or alias.name) not in used:
                    yield str(node.module), alias.name

    def digests(self, name: str) -> Iterator[str]:
        """SHA-256 of each statement behind a name."""
        for node in self.defined[name]:
            yield hashlib.sha256(_written(node).encode()).hexdigest()


@functools.cache
def _module(path: Path) -> _Module:
    found = _Module(ast.parse(path.read_text(encoding="utf-8")))
    for node in found.tree.body:
        if not _idle(node):
            for name in _defines(node):
                found.defined[name].append(node)
    # Those in functions too; of a name with two meanings both count.
    for part in ast.walk(found.tree):
        if isinstance(part, ast.ImportFrom):
            for alias in part.names:
                found.imported[alias.asname or alias.name].add((str(part.module), alias.name))
        elif isinstance(part, ast.Import):
            for alias in part.names:
                found.imported[alias.asname or alias.name.split(".")[0]].add((alias.name, ""))
    return found


def _defines(node: ast.stmt) -> list[str]:
    """The names that a statement of a module defines; "" for one that does something else."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    names = [one for target in targets for one in getattr(target, "elts", [target])]
    found = [one.id for one in names if isinstance(one, ast.Name)]
    return found if found and len(found) == len(names) else [""]


def _rests_on(root: Path, path: Path, name: str) -> Iterator[Definition]:
    """What a definition uses, and what its file does beside defining."""
    module = _module(path)
    yield path, ""
    for node in module.defined[name]:
        for used, attribute in _used(node):
            if used in module.defined:
                yield path, used
            for source, what in module.imported.get(used, ()):
                yield from _resolved(root, source, what, attribute)
        yield from _loaded_by_name(root, path, node)


def _used(node: ast.AST) -> Iterator[tuple[str, str]]:
    """The names in a piece of code, each with the attribute that is taken of it, or ""."""
    waiting: list[ast.AST] = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Name):
            yield one.id, ""
        elif isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name):
            yield one.value.id, one.attr
        else:
            waiting.extend(
                each
                for field_name, value in ast.iter_fields(one)
                if field_name not in _ANNOTATIONS
                for each in (value if isinstance(value, list) else [value])
                if isinstance(each, ast.AST)
            )


def _resolved(root: Path, module: str, name: str, attribute: str = "") -> Iterator[Definition]:
    """The definition that an imported name stands for, or of a module that attribute."""
    inner = f"{module}.{name}" if name else module
    if _file(root, inner) is not None:
        # A module: what is taken of it, or all of it where it is handed on.
        yield from _resolved(root, inner, attribute) if name and attribute else _whole(root, inner)
        return
    path = _file(root, module)
    if path is None:
        return
    found = _module(path)
    if name in found.defined:
        yield path, name
    elif name in found.imported:
        for source, what in found.imported[name]:
            yield from _resolved(root, source, what, attribute)
    else:
        yield from _whole(root, module)


def _whole(root: Path, module: str) -> Iterator[Definition]:
    """Every definition of a module, and what it imports for others."""
    path = _file(root, module)
    if path is None:
        return
    yield path, ""
    yield from ((path, name) for name in _module(path).defined)
    for source, what in _module(path).passed_on():
        yield from _resolved(root, source, what)


def _file(root: Path, module: str) -> Path | None:
    """The file of a module of a package below ``root``; None for others and for `PURE_DATA`."""
    parts = module.split(".")
    if len(parts) > 1 and parts[1] in PURE_DATA:
        return None
    return next(iter(_own_files(root, module)), None)


@functools.cache
def _own_files(root: Path, module: str) -> tuple[Path, ...]:
    path = root.joinpath(*module.split("."))
    found = (path.with_suffix(".py"), path / "__init__.py")
    return tuple(one for one in found if one.is_file())


def _required(root: Path, module: str) -> Iterator[Path]:
    found = _own_files(root, module)
    if not found:
        raise ModuleNotFoundError(f"{module} has no source below {root}")
    yield found[0]


def _loaded_by_name(root: Path, path: Path, node: ast.AST) -> Iterator[Definition]:
    """What code that calls ``import_module`` or ``load_method`` can ask for by its file's texts.

    A dotted name is a module, the beginning of one (``f"enhancers.phantoms.{kind}"``) any module
    of that package, and the key of a method its implementation.
    """
    calls = {one for pair in _used(node) for one in pair} & _LOADERS
    if not calls:
        return
    package = path.relative_to(root).parts[0]
    texts = {
        one.value
        for one in ast.walk(_module(path).tree)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }
    if "import_module" in calls:
        for text in texts:
            if text.startswith(f"{package}.") and text.endswith("."):
                folder = root.joinpath(*text.split(".")[:-1])
                for one in folder.glob("*.py"):
                    yield from _whole(root, f"{text}{one.stem}")
            elif text.startswith(f"{package}."):
                yield from _whole(root, text)
    if "load_method" in calls:
        from enhancers.registry import METHODS

        for method in METHODS:
            if method.key in texts:
                yield from _whole(root, method.implementation)


def _written(node: object) -> str:
    """A syntax tree without positions, and without what cannot change a result.

    `ast.dump` will not do: what it prints differs from one version of Python to the next.
    """
    if isinstance(node, list):
        return "[" + ",".join(_written(one) for one in node if not _idle(one)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.Raise):
        return f"Raise({','.join(_raised(node))})"
    kept = [
        f"{name}={_written(value)}"
        for name, value in ast.iter_fields(node)
        if value is not None and value != [] and name not in ("ctx", "kind", "type_comment")
    ]
    return f"{type(node).__name__}({','.join(kept)})"


def _idle(node: object) -> bool:
    """Whether a statement does nothing: an import, or a bare text such as a docstring."""
    if isinstance(node, _IMPORTS):
        return True
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _raised(node: ast.Raise) -> Iterator[str]:
    """The names that a ``raise`` mentions outside its texts: the class of the error above all."""
    waiting: list[ast.AST] = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Name):
            yield one.id
        if not isinstance(one, ast.JoinedStr):
            waiting.extend(ast.iter_child_nodes(one))
