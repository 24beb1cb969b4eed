"""The documents: links lead somewhere, commands and settings exist, examples run."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from enhancers import __version__
from enhancers.phantoms import phantom
from enhancers.save import save_png16
from enhancers.settings import PREFIX, Settings
from tests.support import dicom_series

ROOT = Path(__file__).parents[2]
WRITTEN = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
EVERY = sorted([*WRITTEN, *(ROOT / "assets").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
PROGRAMS = {"reading-room": "enhancers", "reading-study": "study"}
MODULES = ("enhancers", "study", "benchmarks")
ELSEWHERE = {f"{PREFIX}NO_BROWSER", f"{PREFIX}TEST_POSTGRES_URL"}
"""Variables of the Makefile and of the tests."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"(?:enhancers|study|benchmarks|assets|tests|docs|examples|\.ci)/[\w./-]*")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def identifier(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(path: Path) -> set[str]:
    """The names of a page's headings, as a repository page makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text_of(path)), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("path", EVERY, ids=identifier)
def test_relative_links_lead_to_files_and_headings(path: Path) -> None:
    for link in LINK.findall(FENCE.sub("", text_of(path))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, heading = link.partition("#")
        target = (path.parent / name) if name else path
        assert target.exists(), link
        assert not heading or heading in anchors(target), link


def test_the_index_has_every_page_and_the_readme_is_short() -> None:
    index = text_of(ROOT / "docs" / "README.md")
    for page in (ROOT / "docs").rglob("*.md"):
        assert page.name == "README.md" or f"({page.relative_to(ROOT / 'docs')})" in index
    readme = text_of(ROOT / "README.md")
    assert readme.count("\n") <= 150
    for needed in ("Not a medical device", "non-commercial use only", "make run", "make test"):
        assert needed in readme


def command_lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Program and words of each command in the blocks of a document."""
    for language, block in FENCE.findall(text_of(path)):
        if language in ("", "sh", "bash", "console"):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                words = [word for word in words if not re.match(r"[A-Z_]+=", word)]
                yield from program(words)


def inline_commands(path: Path) -> Iterator[tuple[str, list[str]]]:
    for text in INLINE.findall(FENCE.sub("", text_of(path))):
        words = text.split()
        yield from program([word for word in words if word != "..."])


def program(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    if not words:
        return
    if words[0] in PROGRAMS:
        yield PROGRAMS[words[0]], words[1:]
    elif re.fullmatch(r"(\.venv/bin/)?python -m", " ".join(words[:2])) and words[2] in MODULES:
        yield words[2], words[3:]


@cache
def program_of(module: str) -> Any:
    return typer.main.get_command(__import__(f"{module}.cli", fromlist=["app"]).app)


def command_of(module: str, words: list[str]) -> tuple[Any, list[str]]:
    """The command that the words name, or the group they end in, and the other words."""
    command = program_of(module)
    rest = list(words)
    while rest and hasattr(command, "commands") and re.match(r"[a-z]", rest[0]):
        assert rest[0] in command.commands, f"python -m {module} {' '.join(words)}"
        command = command.commands[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize("path", WRITTEN, ids=identifier)
def test_commands_can_be_typed(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("READINGROOM_STUDY_KEY", str(tmp_path / "key.json"))
    check_commands(path)


def check_commands(path: Path) -> None:
    """Parse every command of a document and run none."""
    for module, words in command_lines(path):
        command, rest = command_of(module, words)
        assert not hasattr(command, "commands"), f"python -m {module} {' '.join(words)}"
        command.make_context(module, rest)
    for module, words in inline_commands(path):
        command, rest = command_of(module, words)
        known = {flag for one in command.params for flag in (*one.opts, *one.secondary_opts)}
        flags = {word.split("=")[0] for word in rest if word.startswith("--")}
        assert flags <= {*known, "--help"}, f"python -m {module} {' '.join(words)}"


@pytest.mark.parametrize("path", WRITTEN, ids=identifier)
def test_settings_targets_and_paths_exist(path: Path) -> None:
    text = text_of(path)
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(rf"{PREFIX}[A-Z_]+", text)) <= settings | ELSEWHERE
    makefile = text_of(ROOT / "Makefile")
    for target in re.findall(r"`make (\w+)`|^make (\w+)", text, re.MULTILINE):
        assert f"\n{''.join(target)}:" in makefile, target
    if path.name == "CHANGELOG.md":
        return
    for code in INLINE.findall(FENCE.sub("", text)):
        for name in PATH.findall(code) if PATH.match(code) else ():
            assert (ROOT / name).exists(), name


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_names_of_the_code_occur_in_the_code(name: str) -> None:
    files = [file for room in MODULES for file in (ROOT / room).rglob("*.py")]
    texts = [*map(text_of, files), text_of(ROOT / "pyproject.toml")]
    known = {word for text in texts for word in re.findall(r"\w+", text)}
    known |= {file.stem for file in files}
    for code in INLINE.findall(FENCE.sub("", text_of(ROOT / name))):
        if re.fullmatch(r"[A-Za-z_][\w.]*(\(.*\))?", code) and not (ROOT / code).exists():
            assert set(re.findall(r"\w+", code)) <= known, code


def test_the_python_of_the_documents_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    save_png16(tmp_path / "slice.png", phantom("cardiac_mr", size=64).pixels)
    dicom_series.stack(tmp_path / "scans", [4, 0, 2])
    blocks = FENCE.findall(text_of(ROOT / "docs" / "for-researchers.md"))
    code = "\n".join(block for language, block in blocks if language == "python")
    exec(compile(code, "for-researchers.md", "exec"), {"__name__": "__main__"})
    told = capsys.readouterr().out
    assert (tmp_path / "out.png").is_file()
    assert '"srad"' in told
    assert "kappa (Fleiss' kappa" in told


def test_the_files_beside_the_code_agree_with_it() -> None:
    citation = yaml.safe_load(text_of(ROOT / "CITATION.cff"))
    assert citation["version"] == __version__
    assert f"\n## {__version__}" in text_of(ROOT / "CHANGELOG.md")
    jobs = yaml.safe_load(text_of(ROOT / ".github" / "workflows" / "ci.yml"))["jobs"]
    assert any(step.get("run") == ".ci/run" for job in jobs.values() for step in job["steps"])
    hooks = yaml.safe_load(text_of(ROOT / ".pre-commit-config.yaml"))["repos"]
    assert f"ruff=={hooks[0]['rev'].removeprefix('v')}\n" in text_of(ROOT / "constraints.txt")


def test_a_wrong_command_line_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for wrong in ("enhancers walk", "study init", "enhancers list --loud", "enhancers networks"):
        page.write_text(f"```\n.venv/bin/python -m {wrong}\n```\n", encoding="utf-8")
        with pytest.raises(Exception, match=r"walk|Missing|loud|networks"):
            check_commands(page)


def test_what_is_pinned_is_required_and_fits() -> None:
    from packaging.requirements import Requirement

    required = {}
    for file in ROOT.glob("requirements*.txt"):
        for line in text_of(file).splitlines():
            wanted = Requirement(line)
            required[wanted.name.lower()] = wanted.specifier
    pinned = {}
    for line in text_of(ROOT / "constraints.txt").splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")
            pinned[name.lower()] = version
    assert pinned.keys() == required.keys()
    chapters = json.loads(text_of(ROOT / "assets" / "evidence" / "evidence.json"))["chapters"]
    measured = {tuple(one) for chapter in chapters for one in chapter["versions"]}
    assert {(name, pinned.get(name, version)) for name, version in measured} == measured
    for name, version in pinned.items():
        assert version in required[name], name
