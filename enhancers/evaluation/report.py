"""Writes all files of a run, with a record of how it was made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from enhancers import devices, provenance
from enhancers.evaluation import plots, tables
from enhancers.evaluation.runs import RunPlan
from enhancers.evaluation.store import ResultRow
from enhancers.evaluation.summary import Summary, summarise

ABOUT, PICTURES = "about.json", "pictures"


def write(folder: Path, plan: RunPlan, rows: Sequence[ResultRow], against: str = "") -> Summary:
    """Write tables, plots and ``about.json`` into ``folder``."""
    summary = summarise(plan.protocol, rows, against)
    tables.write(folder, rows, summary, plan.cases)
    plots.write(folder / "plots", rows, summary, folder / PICTURES)
    about = {
        "protocol": plan.protocol.key,
        "title": plan.protocol.title,
        "source": plan.protocol.source,
        "candidates": [one.key for one in plan.candidates],
        "subject": summary.subject,
        "seeds": plan.seeds,
        "images": {
            group: sum(case.group == group for case in plan.cases)
            for group in dict.fromkeys(case.group for case in plan.cases)
        },
        "device": devices.describe(plan.device),
        "software": dict(provenance.software("diffusion")),
        "project": provenance.Record.project,
        "notice": provenance.NOTICE,
    }
    text = json.dumps(about, indent=2, ensure_ascii=False)
    (folder / ABOUT).write_text(f"{text}\n", encoding="utf-8")
    return summary
