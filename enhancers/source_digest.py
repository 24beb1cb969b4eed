"""Digest of the code that a result depends on, independent of file names.

It covers the parsed code of a module and of all that it imports from this package, or loads by
name. Comments, docstrings, imports and the texts of raised errors cannot change a result and do
not count; nor do the modules of `PURE_DATA`, whose effect on a result is in its parameters.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator
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
    }
)
"""Modules of the package that cannot change a result whose complete parameters are known."""

_IMPORTS = (ast.Import, ast.ImportFrom)

HERE = Path(__file__).resolve().parents[1]
"""The folder in which this package lies."""


@functools.cache
def source_digest(*modules: str, root: Path = HERE) -> str:
    """SHA-256, as hex, over the code of modules and of all that they rest on.

    A file counts by what it does for the result, either as one of ``modules`` or as what these
    import, and never by its path: moving or renaming a module does not change the digest.

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
    named = {path for module in modules for path in _own_file(root, module)}
    digest = hashlib.sha256()
    parts = [("named", path) for path in named]
    parts += [("imported", path) for path in sources(*modules, root=root) - named]
    for role, code in sorted((role, _file_digest(path)) for role, path in parts):
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


def sources(*modules: str, root: Path = HERE) -> set[Path]:
    """The files that modules rest on: their own, and of all that they import or load by name.

    ``modules`` and ``root`` are as for `source_digest`.
    """
    seen: set[Path] = set()
    waiting = list(modules)
    while waiting:
        for path in _files(root, waiting.pop()):
            if path not in seen:
                seen.add(path)
                waiting.extend(_rests_on(root, path))
    return seen


def statements(source: str) -> str:
    """What a module's code computes, as text: equal for sources that differ in words alone."""
    return _written(ast.parse(source))


def _own_file(root: Path, module: str) -> list[Path]:
    path = root.joinpath(*module.split("."))
    found = [one for one in (path.with_suffix(".py"), path / "__init__.py") if one.is_file()]
    if not found:
        raise ModuleNotFoundError(f"{module} has no source below {root}")
    return found[:1]


@functools.cache
def _file_digest(path: Path) -> str:
    return hashlib.sha256(statements(path.read_text(encoding="utf-8")).encode()).hexdigest()


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
        f"{field}={_written(value)}"
        for field, value in ast.iter_fields(node)
        if value is not None and value != [] and field not in ("ctx", "kind", "type_comment")
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


def _files(root: Path, module: str) -> list[Path]:
    """The ``__init__`` files of the packages that a module is in, and its own file, if any."""
    package, *parts = module.split(".")
    if not parts or parts[0] in PURE_DATA:
        return []
    folder = root / package
    found = [folder.joinpath(*parts[:end], "__init__.py") for end in range(1, len(parts) + 1)]
    found.append(folder.joinpath(*parts).with_suffix(".py"))
    return [path for path in found if path.is_file()]


@functools.cache
def _rests_on(root: Path, path: Path) -> tuple[str, ...]:
    """Modules that a file imports, in functions too, or loads by name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = path.relative_to(root).parts[0]
    return (*_imported(tree, package), *_loaded_by_name(tree, root, package))


def _imported(tree: ast.AST, package: str) -> Iterator[str]:
    """Imported names; those of ``from x import y`` may be modules themselves."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package:
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (one.name for one in node.names if one.name.split(".")[0] == package)


def _loaded_by_name(tree: ast.AST, root: Path, package: str) -> Iterator[str]:
    """What ``import_module`` and ``load_method`` can be asked for by the texts of a module.

    A dotted name is a module, the beginning of one (``f"enhancers.phantoms.{kind}"``) any module
    of that package, and the key of a method its implementation.
    """
    calls = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    calls |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    if "import_module" in calls:
        for text in texts:
            if text.startswith(f"{package}.") and text.endswith("."):
                folder = root.joinpath(*text.split(".")[:-1])
                yield from (f"{text}{one.stem}" for one in folder.glob("*.py"))
            elif text.startswith(f"{package}."):
                yield text
    if "load_method" in calls:
        from enhancers.registry import METHODS

        yield from (method.implementation for method in METHODS if method.key in texts)
