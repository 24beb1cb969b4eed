"""Measurements with machine, versions and command, stored as JSON and shown as Markdown."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from enhancers.errors import ReadingRoomError

PACKAGES = ("torch", "diffusers", "llvmlite", "numpy", "scikit-image")
HEAD = "# Benchmarks\n\nWritten by `python -m benchmarks`; the figures are in `{name}`.\n"


@dataclass(frozen=True)
class Measurement:
    """One figure.

    ``required`` is its upper limit, None for none. ``measured`` is None where it could not be
    measured, for the reason in ``detail``.
    """

    name: str
    measured: float | None
    required: float | None = None
    unit: str = ""
    detail: str = ""

    @property
    def verdict(self) -> str:
        """One of "met", "MISSED", "not run" and, without a limit, the empty text."""
        if self.measured is None:
            return "not run"
        if self.required is None:
            return ""
        return "met" if self.measured <= self.required else "MISSED"


@dataclass(frozen=True)
class Report:
    """The figures of one run of a command; a later run of the same title replaces it."""

    title: str
    machine: str
    versions: tuple[tuple[str, str], ...]
    command: str
    when: str
    lines: tuple[Measurement, ...]

    @property
    def met(self) -> bool:
        """Whether every figure is within its limit."""
        return all(line.verdict != "MISSED" for line in self.lines)


def report(title: str, command: str, device: str, lines: list[Measurement]) -> Report:
    """A report of figures with date, machine and versions."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Report(title, machine(device), software(), command, now, tuple(lines))


def software() -> tuple[tuple[str, str], ...]:
    """The versions of Python and of the packages that figures depend on."""
    found = [("Python", platform.python_version())]
    found += [(name, importlib.metadata.version(name)) for name in PACKAGES if _installed(name)]
    return tuple(found)


def machine(device: str) -> str:
    """The processor and its load, and the device where it is another one."""
    from enhancers import devices

    cores = os.cpu_count() or 1
    text = f"{_processor()}, {cores} core{'' if cores == 1 else 's'}"
    if hasattr(os, "getloadavg"):
        text += f", load {os.getloadavg()[0]:.1f}"
    if devices.device_type(device) == "cpu":
        return f"{text}; {devices.describe(device)}"
    return f"{devices.describe(device)}; {text}"


def read(path: Path) -> tuple[Report, ...]:
    """The reports of a file; none where there is no file.

    Raises
    ------
    ReadingRoomError
        The file holds something else.
    """
    if not path.exists():
        return ()
    try:
        return TypeAdapter(tuple[Report, ...]).validate_json(path.read_bytes())
    except ValidationError as error:
        raise ReadingRoomError(
            f"{path} does not hold benchmark figures; move it away, or name another file to --out."
        ) from error


def write(path: Path, fresh: Report) -> None:
    """Add a report to the Markdown file ``path`` and the JSON file next to it."""
    stored = path.with_suffix(".json")
    others = [each for each in read(stored) if each.title != fresh.title]
    reports = tuple(sorted([*others, fresh], key=lambda each: each.title))
    path.parent.mkdir(parents=True, exist_ok=True)
    text = TypeAdapter(tuple[Report, ...]).dump_json(reports, indent=2).decode("utf-8")
    stored.write_text(text + "\n", encoding="utf-8")
    path.write_text(as_markdown(reports, stored.name), encoding="utf-8")


def as_markdown(reports: tuple[Report, ...], name: str) -> str:
    """All reports as Markdown, with a section for each."""
    return "\n".join([HEAD.format(name=name), *(section(each) for each in reports)])


def section(found: Report) -> str:
    """One report as Markdown: circumstances and a table."""
    versions = ", ".join(f"{name} {version}" for name, version in found.versions)
    lines = [
        f"## {found.title}", "", f"`{found.command}`, {found.when}.", "",
        f"{found.machine}. {versions}.", "", "| figure | measured | at most | | detail |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for line in found.lines:
        shown = [_cell(line.measured, line.unit), _cell(line.required, line.unit)]
        lines.append(f"| {line.name} | {' | '.join(shown)} | {line.verdict} | {line.detail} |")
    return "\n".join(lines) + "\n"


def failed(line: Measurement, why: object) -> Measurement:
    """A figure that could not be measured."""
    return replace(line, measured=None, detail=" ".join(str(why).split()))


def _cell(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3g} {unit}".rstrip()


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _processor() -> str:
    """The name of the processor, which on Linux the standard library does not find."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
