"""Write the pages of the documentation that follow from the code: ``python docs/generate.py``.

The command line, the settings, the columns of an export and the import rule are read from where
they are defined; `tests/docs/test_generated.py` fails where a page differs.
"""

from __future__ import annotations

import ast
import csv
import io
import re
import sys
import tomllib
import typing
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PROGRAMS = {
    "enhancers": ("reading-room", "Enhance, measure and degrade images, run batches, evaluate "
                  "methods, manage networks."),
    "study": ("reading-study", "Run a blinded reader study."),
    "benchmarks": ("", "Measure the claims of this project again. It is part of a checkout, not of "
                   "the installed package."),
}  # fmt: skip
NOTE = "<!-- Written by docs/generate.py: change the code, then run it again. -->"
BLOCK = re.compile(r"(<!-- generated:begin (\w+) -->\n).*?(<!-- generated:end -->)", re.DOTALL)


def pages() -> Mapping[Path, str]:
    """Every generated page as it should be, by its path."""
    found = {
        DOCS / "reference" / "cli.md": command_line(),
        DOCS / "reference" / "settings.md": settings(),
        DOCS / "reference" / "export-columns.md": export_columns(),
    }
    blocks = {"rule": import_rule(), "rooms": rooms(), "endpoints": endpoints()}
    for path in (DOCS / "architecture.md", DOCS / "reference" / "api.md"):
        text = path.read_text(encoding="utf-8")
        found[path] = BLOCK.sub(lambda part: f"{part[1]}{blocks[part[2]]}{part[3]}", text)
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        "| " + " | ".join(" ".join(cell.replace("|", "\\|").split()) for cell in line) + " |\n"
        for line in lines
    )


def command_line() -> str:
    """Every command with its arguments and options."""
    parts = [
        f"# Command line\n\n{NOTE}\n\n"
        "After `pip install .` the first two programs are also called `reading-room` and "
        "`reading-study`. An error is one line on standard error and exit status 2.\n"
    ]
    for module, (script, about) in PROGRAMS.items():
        also = f" or `{script}`" if script else ""
        parts.append(f"\n## `python -m {module}`{also}\n\n{about}\n")
        parts += [_command(f"python -m {module}", path, one) for path, one in commands(module)]
    return "".join(parts)


def commands(module: str) -> Iterator[tuple[str, Any]]:
    """Each command of a program: its words after ``python -m MODULE``, and the command itself."""
    import typer.main

    app = __import__(f"{module}.cli", fromlist=["app"]).app
    yield from _below("", typer.main.get_command(app))


def _below(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, one in command.commands.items():
        yield from _below(f"{path} {name}".strip(), one)


def _command(program: str, path: str, command: Any) -> str:
    shown = [one for one in command.params if one.name != "help" and not getattr(one, "hidden", 0)]
    arguments = [one for one in shown if one.param_type_name == "argument"]
    words = " ".join(_argument(one) for one in arguments)
    head = " ".join(f"{program} {path} {words}".split())
    kinds = typing.get_type_hints(command.callback)
    rows = [
        [f"`{_argument(one)}`", one.help or "", "required" if one.required else ""]
        for one in arguments
    ]
    rows += [
        [_flags(one, kinds[str(one.name)]), one.help or "", _default(one)]
        for one in shown
        if one.param_type_name == "option"
    ]
    body = table(["option", "meaning", "default"], rows) if rows else ""
    return f"\n### `{head}`\n\n{' '.join((command.help or '').split())}\n" + (
        f"\n{body}" if body else ""
    )


def _argument(one: Any) -> str:
    name = (one.metavar or one.name.upper()).strip("[]{}.")
    name = f"{name}..." if one.nargs == -1 else name
    return name if one.required else f"[{name}]"


def _flags(one: Any, kind: Any) -> str:
    value = "" if one.is_flag else f" {one.metavar or _value(kind)}"
    names = [f"`{name}{value}`" for name in one.opts]
    return ", ".join([*names, *(f"`{name}`" for name in one.secondary_opts)])


def _value(kind: Any) -> str:
    """What is typed after an option of this type; of a union or a list the first part counts."""
    while args := typing.get_args(kind):
        kind = args[0]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(member.value) for member in kind)
    return {Path: "PATH", int: "INTEGER", float: "NUMBER"}.get(kind, "TEXT")


def _default(one: Any) -> str:
    notes = []
    if one.required:
        notes.append("required")
    elif one.is_flag and not one.secondary_opts:
        notes.append("off")
    elif isinstance(one.default, bool):
        notes.append(f"`{(one.opts if one.default else one.secondary_opts)[0]}`")
    elif one.default not in (None, "", ()) and not callable(one.default):
        notes.append(f"`{one.default}`")
    if one.envvar:
        notes.append(f"`{one.envvar}`")
    if getattr(one, "multiple", False):
        notes.append("may be repeated")
    return ", ".join(notes)


def settings() -> str:
    """Every setting with its variable, default and meaning."""
    from enhancers.settings import PREFIX, Settings

    meanings = _parameters(Settings.__doc__ or "")
    rows = [
        [
            f"`{PREFIX}{name.upper()}`",
            _setting_default(name, field),
            re.sub(r"\bNone\b", "unset", meanings[name]),
        ]
        for name, field in Settings.model_fields.items()
    ]
    return (
        f"# Settings\n\n{NOTE}\n\n"
        "Settings are environment variables, read once when a process starts. An empty variable "
        "counts as unset; a value that is not possible is refused with one line.\n\n"
        + table(["variable", "default", "meaning"], rows)
        + "\nPaths may begin with `~`. Of other programs' variables, `HF_HUB_OFFLINE=1` keeps "
        "every download off, `HF_HOME` is the Hugging Face cache, and `XDG_CACHE_HOME` and "
        "`XDG_DATA_HOME` move the default folders.\n"
    )


def _parameters(doc: str) -> dict[str, str]:
    """What the Parameters section of a docstring says of each name."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in doc.partition("----------\n")[2].splitlines():
        named = re.match(r"    ([\w, ]+) : ", line)
        if named:
            names = [name.strip() for name in named[1].split(",")]
        elif line.strip():
            found |= {name: f"{found.get(name, '')} {line.strip()}".strip() for name in names}
    return found


def _setting_default(name: str, field: Any) -> str:
    known = {
        "trusted_proxies": "`127.0.0.0/8, ::1`; private networks on a Space",
        "host": "`127.0.0.1`; `0.0.0.0` on a Space",
        "cache_dir": "`~/.cache/reading-room`",
        "models_dir": "`~/.local/share/reading-room/networks`",
        "network_changes": "`true`; `false` on a Space",
        "priors_dir": "`assets/networks`",
    }
    if name in known:
        return known[name]
    if field.default is None:
        return "unset"
    value = field.default
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"`{text.lower() if isinstance(value, bool) else text}`"


def export_columns() -> str:
    """Every table of an export with its columns, as the codebook of a study explains them."""
    codebook = next(one for one in _export() if one.name == "codebook.csv")
    files: dict[str, list[list[str]]] = {}
    for row in csv.DictReader(io.StringIO(codebook.text)):
        names = ("type", "unit", "meaning", "values", "missing")
        cells = [f"`{row['column']}`", *(row[name] for name in names)]
        files.setdefault(row["file"], []).append(cells)
    parts = [
        f"# Columns of an export\n\n{NOTE}\n\n"
        "`python -m study export` and the coordinator's page write these tables as CSV in UTF-8 "
        "with a byte order mark, by which Excel knows the encoding (`--format plain` leaves it "
        "out, `--format xlsx` makes one workbook, `--format parquet` typed columns in which an "
        "empty cell is null), with a codebook for the study at hand, and "
        "everything once more as `study.json`, and the chain head in `chain_head.txt`. "
        "Question codes and scales below are those of the default protocol. The columns "
        "`method_name`, `name`, `group` and `parameters` are written after unblinding only. A "
        "cell that a spreadsheet would run as a formula begins with an apostrophe.\n"
    ]
    head = ["column", "type", "unit", "meaning", "values", "empty means"]
    parts += [f"\n## {file}\n\n{table(head, rows)}" for file, rows in files.items()]
    return "".join(parts)


def _export() -> Sequence[Any]:
    """The files of an export of an empty, unblinded study with the default protocol."""
    from study.analysis.dataset import Dataset
    from study.analysis.records import MethodRecord, StudyRecord
    from study.domain.protocol import Protocol
    from study.report import export

    protocol = Protocol()
    study = StudyRecord()
    methods = (MethodRecord("M1", name="a method"),)
    return export.files(Dataset(study, protocol, methods, (), (), ()))


def endpoints() -> str:
    """Every endpoint with its parameters, from the docstrings that the page shows as well."""
    source = (ROOT / "enhancers" / "api" / "endpoints.py").read_text(encoding="utf-8")
    (owner,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == "Endpoints"
    )
    parts = []
    for one in owner.body:
        if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"):
            about, _, listed = (ast.get_docstring(one) or "").partition("\n\nArgs:\n")
            meanings = dict(re.findall(r"^ +(\w+): (.*)$", listed, re.MULTILINE))
            names = [argument.arg for argument in one.args.args[1:]]
            given = [None] * (len(names) - len(one.args.defaults)) + list(one.args.defaults)
            rows = [
                [f"`{name}`", meanings[name], _endpoint_default(default)]
                for name, default in zip(names, given, strict=True)
            ]
            body = table(["parameter", "meaning", "default"], rows) if rows else ""
            parts.append(f"### `/{one.name}`\n\n{about}\n" + (f"\n{body}" if body else ""))
    return "\n" + "\n".join(parts) + "\n"


def _endpoint_default(default: ast.expr | None) -> str:
    if default is None:
        return "required"
    value = default.value if isinstance(default, ast.Constant) else None
    return "" if value is None else f"`{value!s}`"


def import_rule() -> str:
    """The contracts of pyproject.toml, each in a few lines."""
    parts = []
    for one in _contracts():
        if one["type"] == "layers":
            layers = "\n".join(_layer(each) for each in one["layers"])
            parts.append(f"**{one['name']}**\n\n```text\n{layers}\n```\n")
        elif one["type"] == "forbidden":
            parts.append(f"**{one['name']}**\n\n{_forbidden(one)}\n")
        else:
            parts.append(f"**{one['name']}**: in {_listed(one['ancestors'])}.\n")
    return "\n" + "\n".join(parts) + "\n"


def _contracts() -> list[dict[str, Any]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: list[dict[str, Any]] = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    return found


def _layer(text: str) -> str:
    """The modules of a layer: | separates independent ones, : those that may import each other."""
    return "  ".join(part for part in text.split())


def _forbidden(contract: Mapping[str, Any]) -> str:
    who, what = _listed(contract["source_modules"]), _listed(contract["forbidden_modules"])
    allowed = contract.get("ignore_imports", [])
    but = f" Allowed: {_listed(allowed)}." if allowed else ""
    return f"{who} must not import {what}.{but}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def rooms() -> str:
    """The packages of each layer from the top, with the first sentence of their docstrings."""
    parts = []
    for one in _contracts():
        if one["type"] != "layers":
            continue
        for container in one["containers"]:
            names = re.findall(r"[a-z]\w+", " ".join(one["layers"]))
            files = [end for name in names for end in (f"{name}/__init__.py", f"{name}.py")]
            rows = [
                [f"`{container}/{file.partition('/')[0]}`", _summary(ROOT / container / file)]
                for file in files
                if (ROOT / container / file).is_file()
            ]
            parts.append(table([f"room of `{container}`", "what it is"], rows))
    return "\n" + "\n".join(parts) + "\n"


def _summary(path: Path) -> str:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.sub(r"``([^`]+)``", r"`\1`", doc.split("\n\n")[0])


def main() -> int:
    """Write every page that differs, and print its path."""
    for path, text in pages().items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(path.relative_to(ROOT))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
