"""Commands from a design to a frozen study: plan, init, build, freeze."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from study.cli.options import (
    Actor,
    Database,
    Folder,
    HypothesisOfPrimary,
    KeyPath,
    MarginOfPrimary,
    MirrorPath,
    ProtocolPath,
    RandomEffects,
    Readers,
    opened,
    progress_bar,
    read_key,
    read_protocol,
    read_texts,
)
from study.cli.power import (
    Effect,
    GridCases,
    GridReaders,
    PilotPath,
    Power,
    PowerOptions,
    Simulations,
    Target,
    power_of,
)
from study.domain.errors import BuildError, StudyError

if TYPE_CHECKING:
    from study.domain.protocol import Protocol


def plan(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="The folder of a draft study.")
    ] = None,
    cases: Annotated[int | None, typer.Option(min=1, help="Number of cases to read.")] = None,
    methods: Annotated[
        int | None, typer.Option(min=2, help="Number of methods, references and anchors included.")
    ] = None,
    patients: Annotated[
        int | None, typer.Option(min=1, help="Number of patients; the default is one per case.")
    ] = None,
    protocol: ProtocolPath = None,
    readers: Readers = None,
    write: Annotated[
        Path | None, typer.Option(help="Write the protocol to this file, to be edited.")
    ] = None,
    save: Annotated[bool, typer.Option(help="Store the protocol in the draft.")] = False,
    power: Power = False,
    effect: Effect = None,
    pilot: PilotPath = None,
    target: Target = 0.8,
    grid_readers: GridReaders = "",
    grid_cases: GridCases = "",
    simulations: Simulations = 400,
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Estimate hours and the precision of kappa; with --power, the power over readers and cases."""
    from study.planning.workload import estimate

    chosen = read_protocol(protocol)
    if folder is not None:
        with opened(folder, database) as store:
            from study.planning.progress_report import progress_report

            images = progress_report(store).images
            if protocol is None:
                chosen = store.protocol()
            chosen = _changed(chosen, readers=readers)
            if save:
                with store.write() as session:
                    store.set_protocol(session, chosen, actor)
        # What is not given is counted in the draft.
        cases, patients = (cases, patients) if cases else (images.cases, images.patients)
        methods = methods or images.methods
    elif save:
        raise StudyError("--save needs the folder of a draft: python -m study plan DIR --save.")
    chosen = _changed(chosen, readers=readers)
    if write is not None:
        _write(chosen, write)
    if not cases or not methods:
        raise StudyError("Give --cases and --methods: nothing is built that could be counted.")
    typer.echo(estimate(chosen, cases, patients, methods).as_text())
    if power:
        asked = PowerOptions(effect, pilot, target, grid_readers, grid_cases, simulations)
        found = power_of(chosen, asked, cases=cases, patients=patients, methods=methods)
        typer.echo(f"\n{found.as_text()}")


def init(
    folder: Folder,
    key: KeyPath,
    protocol: ProtocolPath = None,
    title: Annotated[
        str | None, typer.Option(help="Title of the study, which readers see.")
    ] = None,
    readers: Readers = None,
    random: RandomEffects = None,
    hypothesis: HypothesisOfPrimary = None,
    margin: MarginOfPrimary = None,
    language: Annotated[
        str | None, typer.Option(help="Language of the readers' pages: en, de, or another code.")
    ] = None,
    texts: Annotated[
        Path | None,
        typer.Option(help="Texts of the readers' pages as JSON, as the command texts writes them."),
    ] = None,
    code: Annotated[str, typer.Option(help="Short name of the study.")] = "S1",
    database: Database = None,
    mirror: MirrorPath = None,
) -> None:
    """Make a new study: its folder, its database and its key file."""
    from study.storage import key_file
    from study.storage.store import Store

    chosen = _changed(
        read_protocol(protocol), title=title, readers=readers, language=language,
        texts=None if texts is None else read_texts(texts),
        **_inference(random, hypothesis, margin),
    )  # fmt: skip
    made = key_file.create(key, folder)
    try:
        store = Store.create(
            folder, protocol=chosen, code=code, seed_sha256=made.seed_sha256, url=database,
            mirror=mirror,
        )  # fmt: skip
    except BaseException:
        # A key without a study would only stop the next attempt.
        key.unlink()
        raise
    key_file.save(made.bind(store.study_id))
    store.close()
    typer.echo(
        f"The study {code} is in {folder}. Keep copies of {key} in a safe place: without it the "
        "study can be neither frozen nor unblinded."
    )


def build(
    folder: Folder,
    key: KeyPath,
    manifest: Annotated[
        Path | None, typer.Option(help="CSV of ready-made images: case,patient,method,file.")
    ] = None,
    folders: Annotated[
        Path | None, typer.Option(help="Folder of ready-made images, one subfolder per method.")
    ] = None,
    images: Annotated[
        list[Path] | None, typer.Option(help="Files or folders to run each --method on.")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="A method: nlm, tv:weight=0.1, or input (unchanged); "
            "null_space:task=inpaint,mask=PATH with the mask of all cases, or a folder with one "
            "for each."
        ),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="Folder of clean images, as the reference.")
    ] = None,
    reference: Annotated[str, typer.Option(help="Name of the hidden reference method.")] = "",
    original: Annotated[
        str,
        typer.Option(
            metavar="METHOD",
            help="The unenhanced images, shown beside the others and not rated (show_original); "
            "with --images it is input.",
        ),
    ] = "",
    anchor: Annotated[
        list[str] | None,
        typer.Option(help="An anchor: with --images a degradation, blur:3; else a method's name."),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(metavar="METHOD=GROUP", help="Right answer to the blinding question."),
    ] = None,
    training: Annotated[
        list[str] | None, typer.Option(metavar="CASE", help="Case for training and dummies only.")
    ] = None,
    patients: Annotated[
        Path | None, typer.Option(help="CSV of the patients: case,patient.")
    ] = None,
    separator: Annotated[
        str, typer.Option(help="The patient is the part of a file name before this.")
    ] = "",
    root: Annotated[
        Path | None, typer.Option(help="Folder that the files of the manifest lie in.")
    ] = None,
    stack: Annotated[
        str,
        typer.Option(
            metavar="SLICES",
            help="Show volumes as stacks that readers scroll through: all, or a range with a step, "
            "10-49:2, counted from 0; 64 slices at most. Without it one slice of each is shown. "
            "The column slice of a table decides about its case.",
        ),
    ] = "",
    modality: Annotated[
        str, typer.Option(help="CT, MR, US, XR, ...; used where the files do not say.")
    ] = "",
    attest_deidentified: Annotated[
        bool, typer.Option(help="Attest that the pixels of all images show no name.")
    ] = False,
    accept_differences: Annotated[
        bool,
        typer.Option(
            help="Accept marks, shifts and other differences that a build refuses, in all cases."
        ),
    ] = False,
    accept_case: Annotated[
        list[str] | None,
        typer.Option(metavar="CASE", help="Accept them in this case only; repeat for more cases."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the methods.")] = 0,
    device: Annotated[
        str, typer.Option(help="Device of the methods: auto, cpu, cuda, cuda:1 or mps.")
    ] = "auto",
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Render all images of a draft; an interrupted build goes on where it stopped."""
    from study.stimuli.rendering import Options
    from study.stimuli.rendering import build as render
    from study.stimuli.sources import (
        from_folders,
        from_images,
        from_manifest,
        with_roles,
        with_stack,
        with_training,
    )

    _check_source(manifest=manifest, folders=folders, images=images, of_images=method or truth)
    ready, found = list(anchor or []), modality.upper()
    if manifest is not None:
        sources = from_manifest(manifest, root=root, modality=found)
    elif folders is not None:
        sources = from_folders(folders, patients=patients, separator=separator, modality=found)
    else:
        sources = from_images(
            images or [], method or [], truth=truth, anchors=ready, patients=patients,
            separator=separator, modality=found,
        )  # fmt: skip
        ready = []
    sources = with_roles(
        sources, reference=reference, original=original, anchors=ready, groups=_groups(group or [])
    )
    sources = with_stack(with_training(sources, training or []), stack)
    options = Options(
        seed, device, attest_deidentified, accept_differences, frozenset(accept_case or ())
    )
    with opened(folder, database) as store, progress_bar() as update:
        report = render(
            store, read_key(key, store), sources, options=options, progress=update, actor=actor
        )
    typer.echo(report.as_text())


def _check_source(*, of_images: object, **sources: object) -> None:
    given = [f"--{name}" for name, value in sources.items() if value]
    if len(given) != 1:
        raise BuildError(f"Give one of --manifest, --folders and --images; {len(given)} are given.")
    if of_images and given != ["--images"]:
        raise BuildError(f"--method and --truth go with --images, not with {given[0]}.")


def qualify(
    folder: Folder,
    key: KeyPath,
    answers: Annotated[
        Path | None,
        typer.Option(
            help="CSV of known answers about training cases: case,method,question,low,high."
        ),
    ] = None,
    pass_mark: Annotated[
        float | None, typer.Option(min=0.01, max=1, help="Share of right answers that qualifies.")
    ] = None,
    attempts: Annotated[int | None, typer.Option(min=1, help="How often a reader may try.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Remove the qualification.")] = False,
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Set which known answers qualify a reader for the study, in a draft that is built."""
    from study.planning.qualification import declare, described, read_answers

    if none == (answers is not None):
        raise StudyError("Give a table of known answers (--answers FILE), or --none to remove it.")
    rows = () if answers is None else read_answers(answers)
    with opened(folder, database) as store:
        chosen = declare(
            store, read_key(key, store), rows, pass_mark=pass_mark, attempts=attempts, actor=actor
        )
    typer.echo(described(chosen))


def freeze(
    folder: Folder,
    key: KeyPath,
    pair: Annotated[
        list[str] | None,
        typer.Option(metavar='"A vs B"', help="Compare these two methods; repeat for more pairs."),
    ] = None,
    control: Annotated[str, typer.Option(help="Compare all methods with this one only.")] = "",
    primary: Annotated[
        str,
        typer.Option(
            metavar='"A vs B"',
            help="The primary comparison, on the question that is marked as primary.",
        ),
    ] = "",
    random: RandomEffects = None,
    hypothesis: HypothesisOfPrimary = None,
    margin: MarginOfPrimary = None,
    reader_code: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODE",
            help="Code of a reader, once for each; the default is R01, R02, ...",
        ),
    ] = None,
    confirm_words: Annotated[
        bool,
        typer.Option(help="Confirm that the words listed by freeze name no method or case."),
    ] = False,
    actor: Actor = "",
    database: Database = None,
) -> None:
    """Fix protocol, plan, seed and names; they cannot change afterwards."""
    from study.planning.freeze import compare_only
    from study.planning.freeze import freeze as fix

    pairs = [_pair(text) for text in pair or []]
    first = _pair(primary, "primary") if primary else None
    changes = _inference(random, hypothesis, margin)
    with opened(folder, database) as store:
        names = read_key(key, store)
        if pairs or control or first or changes:
            compare_only(
                store, names, pairs=pairs, control=control, primary=first, actor=actor, **changes
            )
        report = fix(
            store, names, actor=actor, codes=reader_code or (), words_confirmed=confirm_words
        )
        typer.echo(report.as_text())


def texts(
    language: Annotated[str, typer.Argument(help="Language to print: en or de.")] = "en",
) -> None:
    """Print the texts of the readers' pages as JSON, to be translated or changed."""
    from study.domain.reader_texts import languages, shipped_texts

    if language not in languages():
        raise StudyError(f"{language!r} is not shipped: choose {' or '.join(languages())}.")
    typer.echo(json.dumps(dict(shipped_texts(language)), indent=2, ensure_ascii=False))


def _changed(protocol: Protocol, **changes: Any) -> Protocol:
    """The protocol with the changes that are not None."""
    return protocol.with_(**{name: new for name, new in changes.items() if new is not None})


def _write(protocol: Protocol, path: Path) -> None:
    text = json.dumps(json.loads(protocol.to_json()), indent=2, ensure_ascii=False)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text + "\n")
    except FileExistsError:
        raise StudyError(f"There is a file at {path} already: give another path.") from None


def _groups(texts: list[str]) -> dict[str, str]:
    """Split METHOD=GROUP; the name of a method may contain an equals sign."""
    found = {}
    for text in texts:
        name, equals, group = text.rpartition("=")
        if not equals:
            raise BuildError(f"--group {text} is not METHOD=GROUP.")
        found[name.strip()] = group.strip()
    return found


def _inference(
    random: str | None, hypothesis: str | None, margin: float | None
) -> dict[str, object]:
    """The given options as fields of the protocol."""
    from study.domain.protocol_json import chosen

    changes: dict[str, object] = {} if margin is None else {"margin": margin}
    for name, text in (("random", random), ("hypothesis", hypothesis)):
        if text is not None:
            changes[name] = chosen(name, text)
    return changes


def _pair(text: str, option: str = "pair") -> tuple[str, str]:
    """Split "A vs B"; names may contain commas, colons and spaces."""
    first, versus, second = text.partition(" vs ")
    if not versus:
        raise StudyError(f'--{option} {text} is not "A vs B".')
    return first.strip(), second.strip()
