"""Pieces of HTML that several pages show: problems, waiting, command lines, tables. All text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def render_problem(message: str) -> str:
    """A sentence a person can act on, in the place of the answer."""
    return f'<div class="lab-problem" role="alert"><p>{escape(message)}</p></div>'


def render_busy(what: str) -> str:
    """Something is being done; the answer will stand in its place."""
    return f'<p class="lab-note lab-busy" role="status">{escape(what)} …</p>'


def render_progress_bar(share: float, of: str, family: str = "") -> str:
    """How far something is.

    Args:
        share: done of it, 0 to 1.
        of: what it is the progress of, as screen readers say it.
        family: whose colour it has; not said, that of what is around it.
    """
    percent = 100 * share
    colour = f" lab-{escape(family)}" if family else ""
    return (
        f'<div class="lab-progress{colour}" role="progressbar" aria-label="{escape(of)}" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent:.0f}">'
        f'<span style="width:{percent:.2f}%"></span></div>'
    )


def render_command(command: str, title: str = "The same on the command line") -> str:
    """A command line to read and copy."""
    return (
        f'<div class="lab-command"><span>{escape(title)}</span><code>{escape(command)}</code></div>'
    )


def render_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that scrolls sideways where it is wider than the page."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return (
        f'<div class="lab-table lab-wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
