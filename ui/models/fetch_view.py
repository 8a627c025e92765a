"""Trained nets that can be fetched, as HTML: the table, the question, and how far a fetch is."""

from __future__ import annotations

from html import escape
from urllib.parse import urlsplit

from export.fetch import Places, fetch_command, is_fetched
from resnet_core.display import clock
from resnet_core.pretrained.table import (
    ACCURACY_SOURCE,
    LICENCE,
    Weights,
    find_weights,
    newest_weights,
)
from ui.action_list import action_button
from ui.command_lines import RUNS, WEIGHTS, with_folders
from ui.html import render_command, render_problem, render_progress_bar
from ui.models.fetch_jobs import Progress

HEADINGS = ("Net", "Layers", "Published error", "Parameters", "Download", "")


def render_table(where: Places, now: Progress | None) -> str:
    """A row for each net, with a button where it is not here yet."""
    head = "".join(f"<th>{name}</th>" for name in HEADINGS)
    rows = "".join(_row(weights, where, now) for weights in newest_weights())
    return (
        f'<div class="lab-table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        f'<p class="lab-about">Published error: {escape(ACCURACY_SOURCE)}, first answer wrong; nobody '
        "here measured it.</p>"
    )


def _row(weights: Weights, where: Places, now: Progress | None) -> str:
    name = escape(weights.net).replace("_", "_<wbr>")  # on a phone, broken there or nowhere
    cells = (
        f'<span class="lab-dot"></span><b>{name}</b>',
        str(weights.depth),
        f"{100 - weights.top1_percent:.2f} %",
        f"{weights.params / 1e6:.1f} M",
        megabytes(weights),
        _action(weights, where, now),
    )
    return f'<tr class="lab-photo_resnet">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _action(weights: Weights, where: Places, now: Progress | None) -> str:
    if now is not None and now.is_running:
        return "fetching …" if now.weights == weights else _state(weights, where)
    if is_fetched(weights, where.runs):
        return _state(weights, where)
    return action_button("Fetch …", "fetch", weights.net, f"Fetch {weights.net} …")


def _state(weights: Weights, where: Places) -> str:
    return "here" if is_fetched(weights, where.runs) else ""


def render_question(weights: Weights, where: Places) -> str:
    """What would be fetched, from where, and under which licence."""
    return (
        f'<div class="lab-card" role="alertdialog" aria-label="Fetch {escape(weights.net)}?">'
        f'<h2 class="lab-verdict">Fetch {escape(weights.net)}?</h2>'
        f"<p>{megabytes(weights)} from {escape(urlsplit(where.url).netloc)}, kept in "
        f"{escape(str(where.weights_folder))}.</p>"
        f'<p class="lab-note">Licence: {escape(LICENCE)}.</p>'
        f"{render_command(with_folders(fetch_command(weights), RUNS, WEIGHTS))}</div>"
    )


def render_progress(now: Progress | None) -> str:
    """How the last fetch goes or went; nothing where there was none, or its net is gone again."""
    if now is None:
        return ""
    net = escape(now.weights.net)
    if now.is_running:
        share = 1.0 if now.share is None and now.event else now.share or 0.0
        return (
            '<div class="lab-photo_resnet"><p class="lab-note">'
            f'<b role="status">Fetching {net}</b> · {escape(_doing(now))}</p>'
            f"{render_progress_bar(share, f'Progress of {now.weights.net}')}</div>"
        )
    if now.problem:
        return render_problem(now.problem)
    if now.is_here:
        name = escape(now.weights.model_name)
        return (
            f'<p class="lab-note" role="status"><b>{name}</b> is here, and agrees with PyTorch.</p>'
        )
    if now.event.get("event") == "fetched":
        return ""  # it was deleted since
    return (
        f'<p class="lab-note" role="status">Fetching {net} was stopped. What has come is kept: '
        "fetching again goes on from there.</p>"
    )


def _doing(now: Progress) -> str:
    event = now.event
    if now.share is None:
        return event["step"] if event.get("event") == "working" else "asking the server"
    left = "" if event["eta_seconds"] is None else f", {clock(event['eta_seconds'])} left"
    return (
        f"{event['done_bytes'] / 1e6:,.1f} of {event['total_bytes'] / 1e6:,.1f} MB, "
        f"{event['bytes_per_second'] / 1e6:,.1f} MB/s{left}"
    )


def megabytes(weights: Weights) -> str:
    return f"{weights.size_bytes / 1e6:,.0f} MB"


def offered(net: str | None) -> Weights | None:
    """The weights that a page's row stands for; None where it is none of ours."""
    known = {weights.net for weights in newest_weights()}
    return find_weights(net) if net in known else None
