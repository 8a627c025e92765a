"""Results of speed in words, bars and rows: progress, the machine, what is missing, comparisons."""

from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import Path

from benchmarks.figures.style import clock, percent
from benchmarks.throughput.machine import describe, differences, machine_name
from benchmarks.throughput.stored import StoredSpeed
from resnet_core.errors import LabError
from resnet_core.zoo import zoo_entries
from ui.command_lines import command_line, short_path
from ui.html import (
    render_busy,
    render_command,
    render_problem,
    render_progress_bar,
    render_table,
)
from ui.speed import jobs

NO_RESULTS = (
    '<div class="lab-empty"><p>No result yet.</p><p>Measure this machine below: every engine '
    "answers the same pictures first, and its speed counts only if the answers are right.</p></div>"
)


def menu_entry(path: Path) -> tuple[str, str]:
    """What the menu shows for a file, and its value: machine, models, when, whose."""
    stored = jobs.read(path)
    if path == jobs.live_file():
        whose = "measuring now"
    else:
        whose = "shipped" if jobs.is_shipped(path) else "yours"
    if stored is None:
        return f"This machine · {whose}", str(path)
    names = list(dict.fromkeys(row["model"] for row in stored.rows))
    models = ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")
    unfinished = "" if stored.is_finished or whose == "measuring now" else "unfinished"
    words = [machine_name(stored.environment), models, _day(stored), unfinished, whose]
    return " · ".join(word for word in words if word), str(path)


def _day(stored: StoredSpeed) -> str:
    """24 Nov 2026, 15:22 in this machine's time; empty where the file does not say."""
    try:
        return f"{datetime.fromisoformat(stored.began_at).astimezone():%d %b %Y, %H:%M}"
    except ValueError:
        return ""


def render_progress(path: Path, stored: StoredSpeed | None) -> str:
    """How far it is: a bar while it measures, one line when it does not."""
    is_last = path == jobs.last_file()
    if path == jobs.live_file():
        return _render_live(stored)
    problem = jobs.child().problem() if is_last else ""
    if problem or stored is None:
        return render_problem(problem or "It ended before it had measured anything: start again.")
    done, total = stored.progress["done"], stored.progress["total"]
    ended = "" if stored.is_finished else f"Stopped after {done} of {total} measurements · "
    cases = f"{len(stored.measured)} of {len(stored.rows)} cases have a figure"
    where = escape(machine_name(stored.environment))
    return f'<p class="lab-note" role="status">{ended}{cases} · measured on {where}</p>'


def _render_live(stored: StoredSpeed | None) -> str:
    if stored is None:
        return render_busy("Getting ready: opening the engines")
    done, total = stored.progress["done"], stored.progress["total"]
    left = jobs.eta_seconds(stored)
    now = stored.progress.get("now")
    words = [*([str(now)] if now else []), f"{done} of {total} measurements"]
    words += [f"about {clock(left)} left"] if left is not None else []
    return (
        # The state alone is announced: the rest changes with each measurement.
        '<p class="lab-note lab-busy"><span role="status">Measuring</span> · '
        f"{escape(' · '.join(words))}. You can leave the page.</p>"
        f"{render_progress_bar(stored.share_done, 'Progress of the measurement', 'resnet_v1')}"
    )


def render_machine(stored: StoredSpeed) -> str:
    """The machine, what could not run on it and why, and what ran and was wrong."""
    from benchmarks.throughput.report import missing_engines, wrong_rows

    facts = "".join(
        f"<dt>{escape(what)}</dt><dd>{escape(how)}</dd>"
        for what, how in describe(stored.environment)
    )
    said = [f'<h3>The machine</h3><dl class="lab-facts">{facts}</dl>']
    if missing := missing_engines(stored):
        items = "".join(_missing_item(*entry) for entry in missing)
        said.append(f'<h3>Not measured</h3><ul class="lab-verdicts">{items}</ul>')
    if wrong := {
        (row["model"], row["engine"], row["precision"], row["reason"]) for row in wrong_rows(stored)
    }:
        items = "".join(
            f'<li class="lab-outcome-refuted"><b>{escape(f"{engine}:{precision}")}</b> on '
            f"{escape(model)}<br><small>{escape(str(reason))}</small></li>"
            for model, engine, precision, reason in sorted(wrong)
        )
        said.append(f'<h3>Ran, but does not count</h3><ul class="lab-verdicts">{items}</ul>')
    return f'<div class="lab-findings">{"".join(said)}</div>'


def _missing_item(engines: str, reason: str, install: str) -> str:
    line = f"<br><code>{escape(install)}</code>" if install else ""
    said = escape(reason[:1].upper() + reason[1:])
    return f"<li><b>{said}</b><br><small>{escape(engines)}</small>{line}</li>"


def render_marks(stored: StoredSpeed) -> str:
    """What colours and marks mean where nets and engines are in one plot."""
    from benchmarks.figures.speed_style import marks_in_words

    return (
        f'<p class="lab-note">{escape(marks_in_words(stored.measured))}; filled in fp32. Colours are '
        "the nets’ families, stronger where deeper. The line joins what nothing beats at both."
        f"{escape(_other_weights(stored))}</p>"
    )


def _other_weights(stored: StoredSpeed) -> str:
    """Which nets were measured before they were trained anew: as fast then, of another error."""
    now = {entry.name: entry.card["test_error_percent"] for entry in zoo_entries()}
    then = {net["name"]: net["test_error_percent"] for net in stored.models}
    return "".join(
        f" {name} had earlier weights then; those that ship now have {percent(now[name])} test error."
        for name, error in then.items()
        if name in now and error is not None and percent(error) != percent(now[name])
    )


def render_rows(stored: StoredSpeed) -> str:
    """Every row, and the command that measured them."""
    from benchmarks.throughput.report import HEADINGS, cells

    note = (
        '<p class="lab-note">Intervals are 95 %, over processes; of fewer than three the range of '
        "their rounds is given. A percentile stands where there were calls enough to know it; "
        "agreement is with PyTorch in fp32 on the test images.</p>"
    )
    table = render_table(HEADINGS, [cells(row) for row in stored.rows])
    return table + note + (render_command(stored.command) if stored.command else "")


def render_comparison(first: Path, second: Path) -> str:
    """Two files case by case in words, what only one has, and how the machines differ."""
    from benchmarks.throughput.compare import compare_speed, summary
    from benchmarks.throughput.report import COMPARED_HEADINGS, compared_cells, lost_and_gained

    a, b = jobs.read(first), jobs.read(second)
    if a is None or b is None:
        return render_problem("One of the two has no rows yet: compare when it has.")
    try:
        found = compare_speed(a, b)
    except LabError as error:
        return render_problem(str(error))
    apart = differences(a.environment, b.environment)
    only = "".join(f"<li>{escape(line)}</li>" for line in lost_and_gained(found))
    environments = (
        render_table(("environment", "first", "second"), apart)
        if apart else '<p class="lab-note">Both were measured in the same environment.</p>'
    )  # fmt: skip
    return (
        f'<p class="lab-note"><b>{escape(summary(found))}</b> Welch’s test on the logarithms of '
        "rates, with Holm’s correction over all cases; the intervals are 95 % each, without it.</p>"
        f"{render_table(COMPARED_HEADINGS, [compared_cells(row) for row in found.rows])}"
        + (f'<ul class="lab-left-out">{only}</ul>' if only else "")
        + environments
        + render_command(
            command_line("benchmarks", "compare-speed", *map(short_path, (first, second)))
        )
    )
