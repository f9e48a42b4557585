"""tables.csv, folds.csv, README.md, report.html and the figures of a reproduction, from the records that are there.

The pages and the figures carry what they were made with (the figures as texts in the PNG); for the CSV files
origin.json does.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from data_prep.files import atomic_path, write_json
from tools import provenance
from tools.plots import style
from tools.reproduce import figures, tables
from tools.reproduce.catalogue import OURS, PROFILES
from tools.reproduce.findings import Finding, findings
from tools.reproduce.published import read_published
from tools.reproduce.results import Result, read_records, results
from tools.reproduce.trainings import Setting

PAGE = Path(__file__).with_name("report.html")
TITLE = "The thesis's tables and figures"
NOTICE = (
    "Everything measured here comes from simulated data: the videos were drawn by a program and no animal was filmed. "
    "These numbers are not the thesis's results and say nothing about mice; they show what these networks make of the "
    "simulation."
)
MINI = (
    "Small networks (the mini profile: the same graphs with fewer channels, on 51-pixel crops) and a lower learning "
    "rate than the thesis's stand in for the full-size ones."
)
HONEST = (
    "*measured*: mean over the folds, each at the iteration where its own held-out video scores highest, as the thesis "
    "reports, ± standard deviation over the folds. The column after the difference takes each fold at the iteration "
    "that is best on the other folds, so that no video chooses the iteration it is measured at."
)


class Contents(NamedTuple):
    """What both pages show: cells, findings, figures, and by name what a reader needs to make it all again."""

    found: Sequence[Result]
    said: Sequence[Finding]
    drawn: Sequence[figures.Figure]
    origin: Sequence[tuple[str, str]]


def write_results(setting: Setting) -> list[figures.Figure]:
    """Write everything that the records in the folder allow; what is missing is a dash. Returns the figures."""
    folder = setting.folder
    cells, runs = read_records(folder / "cells"), read_records(folder / "runs")
    published = read_published()
    found = results(published, cells)
    said = findings(cells, runs, published, setting.dataset.simulated)
    drawn = figures.draw(setting, cells, runs)
    tables.write_csv(found, folder / "tables.csv")
    tables.write_folds(found, cells, folder / "folds.csv")
    origin = _origin(setting, [*cells.values(), *runs.values()])
    facts = {f"ethocaffe {name}": value for name, value in origin}
    for figure in drawn:
        style.sign(figure.file, facts)
    write_json(folder / "origin.json", {"simulated": setting.dataset.simulated, **dict(origin)})
    contents = Contents(found, said, drawn, origin)
    _write(folder / "README.md", _markdown(setting, contents))
    _write(folder / "report.html", _page(setting, contents))
    return drawn


def _notices(setting: Setting) -> list[str]:
    notices = [NOTICE] if setting.dataset.simulated else []
    if PROFILES[setting.profile].folder:
        notices.append(MINI)
    if setting.origin and setting.dataset.simulated:
        notices.append(f"Where it says pretrained, conv1 to conv5 come from {setting.origin}, which is not AlexNet.")
    return notices


def _weights(setting: Setting) -> str:
    if not setting.origin:
        return "No weights were given, so nothing is pretrained."
    return "" if setting.dataset.simulated else f"Pretrained: conv1 to conv5 from {setting.origin}."


def _origin(setting: Setting, records: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What a reader needs to make it again."""
    stems = [stem for fold in setting.folds for stem in fold.held_out]

    def of_records(name: str) -> str:
        return ", ".join(dict.fromkeys(str(record[name]) for record in records)) or "–"

    data = f"{len(stems)} videos, fingerprint {setting.data[:16]}"
    return [
        ("command", setting.command),
        ("commit", _commits(records)),
        ("machine", of_records("machine")),
        ("data", ("simulated home cage, " if setting.dataset.simulated else f"{setting.dataset.path.name}, ") + data),
        ("seed", str(setting.seed)),
        ("solver", str(setting.solver)),
        ("trainings", f"{setting.iterations} iterations each, validated every {setting.validate_every}"),
        ("finished", max((record["date"] for record in records), default="–")),
        ("versions", ", ".join(f"{name} {version}" for name, version in provenance.versions().items())),
    ]


def _commits(records: Sequence[Mapping[str, Any]]) -> str:
    """The commits of the first and the last record."""
    in_time = sorted(records, key=lambda record: record["date"])
    ends = dict.fromkeys(str(record["commit"])[:12] for record in (*in_time[:1], *in_time[-1:]))
    return " to ".join(ends) or "–"


def _markdown(setting: Setting, contents: Contents) -> str:
    found, said, drawn, origin = contents
    lines = [f"# {TITLE}{', on simulated data' if setting.dataset.simulated else ''}", ""]
    lines += [line for notice in _notices(setting) for line in (f"**{notice}**", "")]
    lines += ["```", setting.command, "```", "", "Balanced accuracy in percent. " + HONEST, "", _weights(setting), ""]
    lines += [tables.markdown(found), "## The thesis's findings", ""]
    lines += ["| finding | in the thesis | here | measured |", "|---|---|---|---|"]
    lines += [f"| {one.claim} | {one.source} | **{one.verdict}** | {_remarked(one)} |" for one in said]
    lines += ["", "## Figures", "", OURS, ""]
    for figure in drawn:
        name = figures.heading(figure.name)
        lines += [f"![{name}](figures/{figure.file.name})", "", f"**{name}.** {figure.caption}", ""]
    lines += ["## How this was made", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in origin]
    return "\n".join(lines) + "\n"


def _page(setting: Setting, contents: Contents) -> str:
    found, said, drawn, origin = contents
    notices = _notices(setting)
    text = "<br>".join(map(html.escape, notices))
    rows = (
        f'<tr><th scope="row">{html.escape(one.claim)}</th><td>{html.escape(one.source)}</td>'
        f"<td><strong>{html.escape(one.verdict)}</strong></td><td>{html.escape(_remarked(one))}</td></tr>"
        for one in said
    )
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        title=TITLE + (", on simulated data" if setting.dataset.simulated else ""),
        notice=f'<p class="notice" role="note"><strong>{text}</strong></p>' if notices else "",
        folds=f"{len(setting.folds)} folds",
        weights=f"<p>{html.escape(_weights(setting))}</p>",
        tables=tables.html_tables(found),
        findings="\n".join(rows),
        ours=html.escape(OURS),
        figures="\n".join(map(_figure, drawn)),
        origin="\n".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in origin),
    )


def _figure(figure: figures.Figure) -> str:
    name = html.escape(figures.heading(figure.name))
    caption = html.escape(figure.caption)
    across = ' class="across"' if figure.name in figures.WIDE else ""
    return (
        f'<figure{across}><img src="figures/{figure.file.name}" alt="{name}: {caption}" loading="lazy">'
        f"<figcaption><strong>{name}.</strong> {caption}</figcaption></figure>"
    )


def _remarked(one: Finding) -> str:
    return one.measured + (f". Note: {one.remark}" if one.remark else "")


def _write(path: Path, content: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(content, encoding="utf-8")
