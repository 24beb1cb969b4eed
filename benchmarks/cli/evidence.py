"""``benchmarks evidence``: measure every claim again, and write the page about it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from enhancers.cli.common import Device
from enhancers.cli.progress import tell_failures, with_bar
from enhancers.errors import ImagesAbsent, ParameterError

if TYPE_CHECKING:
    from benchmarks.evidence.chapters import Chapter
    from benchmarks.evidence.measure import Prepared
    from benchmarks.evidence.results import Evidence, Failure

WORK = Path(".runs/evidence")


def evidence(
    data: Annotated[
        str,
        typer.Option(
            metavar="DIR|phantoms", help="Folder of images. Default: chapters on phantoms only."
        ),
    ] = "",
    work: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of computed rows, which are reused.")
    ] = WORK,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the page. Default: assets/evidence."),
    ] = None,
    only: Annotated[
        str,
        typer.Option(
            metavar="A,B", help="Chapters to measure, or failures, or page. The others stay."
        ),
    ] = "",
    limit: Annotated[
        int | None, typer.Option(min=1, help="Largest number of images of each group.")
    ] = None,
    readme: Annotated[
        Path | None, typer.Option(help="README whose table of claims is rewritten.")
    ] = None,
    device: Device = "auto",
) -> None:
    """Measure the claims and write the page; exit status 1 where a claim is missed."""
    from benchmarks.evidence import chapters, claim_text, paths, write
    from benchmarks.evidence.measure import networks
    from benchmarks.evidence.results import read
    from enhancers import devices
    from enhancers.evaluation.cases import PHANTOMS

    if out is None and (limit is not None or data == PHANTOMS):
        raise ParameterError(
            "--limit and --data phantoms are for trials; give --out DIR, so that the shipped "
            "figures stay."
        )
    keys = tuple(dict.fromkeys(word.strip() for word in only.split(",") if word.strip()))
    asked = chapters.chosen(keys, data)
    where = devices.choose(device)
    folder = paths.EVIDENCE if out is None else out
    text = readme or (paths.README if out is None and paths.README.is_file() else None)
    read(folder)
    if text is not None:
        write.check(text)
    # Read all images before enhancing the first, so that missing ones are reported at once.
    prepared = _prepared(asked, data, limit=limit, device=where, strict=bool(keys))
    failed, now = 0, networks()
    for place, one in enumerate(prepared, 1):
        title = f"{place}/{len(prepared)} {one.chapter.key}: "
        rows = with_bar(one.plan, one.folder(work), title=title)
        found = write.add(folder, one, rows, one.folder(work))
        write.write(folder, text, replace(found, networks=now))
        failed += tell_failures(rows)
    found = replace(read(folder), networks=now)
    if not keys or chapters.FAILURES in keys:
        found = replace(found, failures=_failures(folder, where))
    write.write(folder, text, found)
    print(claim_text.claims_block(found))
    print(f"see {folder / write.PAGE}", file=sys.stderr)
    if failed or _missed(found, {one.chapter.key for one in prepared}):
        raise typer.Exit(1)


def _prepared(
    chapters: tuple[Chapter, ...], data: str, *, limit: int | None, device: str, strict: bool
) -> list[Prepared]:
    """The chapters for which there are images; with ``strict``, an error if one has none."""
    from benchmarks.evidence.measure import prepare

    found: list[Prepared] = []
    lacking: dict[str, ImagesAbsent] = {}
    for chapter in chapters:
        try:
            found.append(prepare(chapter, data, limit=limit, device=device, tell=_note))
        except ImagesAbsent as error:
            if strict:
                raise
            lacking[chapter.key] = error
    if lacking and all(one.chapter.source == "phantoms" for one in found):
        raise next(iter(lacking.values()))
    for key, reason in lacking.items():
        _note(f"the chapter {key} is left out: {reason}")
    return found


def _missed(found: Evidence, keys: set[str]) -> bool:
    """Whether a claim of these chapters is missed."""
    from benchmarks.evidence import claims

    return any(
        one.verdict == claims.MISSED and one.claim.chapter in keys for one in claims.findings(found)
    )


def _failures(folder: Path, device: str) -> tuple[Failure, ...]:
    """Draw the pictures of where each method fails, with a progress bar."""
    from tqdm.auto import tqdm

    from benchmarks.evidence.failure_cases import FAILURE_CASES
    from benchmarks.evidence.failure_pictures import draw

    bar = tqdm(FAILURE_CASES, unit="picture", file=sys.stderr, desc="where methods fail")
    return tuple(draw(folder, case, device) for case in bar)


def _note(line: str) -> None:
    print(f"Note: {line}", file=sys.stderr)
