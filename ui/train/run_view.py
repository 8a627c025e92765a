"""A run in words and bars: the header of the Train tab, menu entries, the queue, the status line."""

from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.figures.style import clock, percent
from resnet_core.data.own_store import PREFIX
from resnet_core.runs.folder import RunState
from ui.action_list import action_button
from ui.command_lines import DATA, RUNS, command_line, with_folders
from ui.html import render_progress_bar

NO_RUNS = (
    '<div class="lab-empty"><p>Your runs appear here.</p>'
    "<p>Choose a net and press Start: the first point of its curve comes after a few seconds.</p></div>"
)
PART_WORDS = {"all": "all of it", "last_stage": "last stage", "head": "head only"}
STATE_WORDS = {
    "running": "running",
    "queued": "waiting",
    "stopped": "stopped",
    "interrupted": "interrupted",
    "failed": "failed",
    "finished": "finished",
    "damaged": "damaged",
}


def menu_entry(row: dict[str, Any]) -> tuple[str, str]:
    """What a menu of runs shows for a row, and its value."""
    if row["state"] == "damaged":
        return f"{row['name']} · damaged", row["name"]
    when = _began(row["name"])
    name = [row["model"], row["data"], f"seed {row['seed']}", when, _state(row)]
    return " · ".join(part for part in name if part), row["name"]


def _state(row: dict[str, Any]) -> str:
    """A stop that was asked for is said at once: a slow step may take a while to end."""
    return "stopping" if row.get("is_stopping") else STATE_WORDS[row["state"]]


def _began(name: str) -> str:
    """27 Nov, 23:17, by the run's name; empty where somebody renamed its folder."""
    try:
        return f"{datetime.strptime(name[:13], '%Y%m%d-%H%M'):%d %b, %H:%M}"
    except ValueError:
        return ""


def render_run(row: dict[str, Any]) -> str:
    """State, progress, time left, and the figures so far."""
    if row["state"] == "damaged":
        reason = row["reason"].rstrip(".")
        advice = "Put the file back as it was, or delete the run below."
        return _card(row, "", f"This run's folder can't be read: {reason}. {advice}")
    share = row["step"] / row["total_steps"] if row["total_steps"] else 0.0
    bar = render_progress_bar(share, f"Progress of {row['name']}")
    return _card(row, bar, _figures(row))


def _card(row: dict[str, Any], bar: str, figures: str) -> str:
    title = row.get("model", row["name"])
    about = _about(row) if "data" in row else ""
    place = f", place {row['place']}" if row.get("place") else ""
    return (
        f'<div class="lab-card lab-run lab-{escape(row.get("family", ""))}">'
        f'<p class="lab-run-name"><span class="lab-dot"></span><b>{escape(title)}</b> '
        f'<span class="lab-run-about">{escape(about)}</span>'
        # The state alone is announced: the figures change each second.
        f'<span class="lab-state lab-state-{row["state"]}" role="status">{_state(row)}{place}</span></p>'
        f'{bar}<p class="lab-run-figures">{_unbroken(escape(figures))}</p></div>'
    )


def _about(row: dict[str, Any]) -> str:
    words = [row["data"], row["recipe"], f"seed {row['seed']}"]
    if row["start"]:
        part = PART_WORDS[row["train_part"]]
        words.insert(1, f"from {Path(row['start']).name}, {part}")
    return " · ".join(words)


def _unbroken(text: str) -> str:
    """Units stay on the line of their numbers."""
    return text.replace(" %", "&nbsp;%").replace(" images/s", "&nbsp;images/s")


def _figures(row: dict[str, Any]) -> str:
    """The second line: what matters most in the state the run is in."""
    state = row["state"]
    if state == RunState.FAILED.value:
        return f"It failed: {row['reason'] or 'it left no reason.'}"
    if state == RunState.QUEUED.value:
        return "It starts when the runs before it have ended."
    epoch = row["epoch"]
    words = [f"epoch {epoch:{'.1f' if epoch >= 0.1 else '.1g'}} of {row['epochs']:g}"]
    if row["is_stopping"]:
        words.append("it stops after this step and keeps what it has learnt")
    elif row["eta_seconds"] is not None:
        words.append(f"{clock(row['eta_seconds'])} left")
    if row["step"] == 0:
        if state == RunState.RUNNING.value:
            return "Starting: reading the data and building the net."
        return "It has not trained yet; resume it to begin."
    words.append(f"{row['images_per_second']:,.0f} images/s")
    words.append(f"training error {percent(row['train_error_percent'])}")
    if row["best_validation_error_percent"] is not None:
        words.append(f"best validation error {percent(row['best_validation_error_percent'])}")
    if row["test_error_percent"] is not None:
        words.append(f"test error {percent(row['test_error_percent'])}")
    # How hard own classes are nobody knows beforehand.
    if row["majority_error_percent"] is not None and row["data"].startswith(PREFIX):
        guess = percent(row["majority_error_percent"])
        words.append(f"always guessing the commonest class: {guess}")
    if state == RunState.INTERRUPTED.value:
        words.append("its process is gone; nothing that was written is lost, resume goes on")
    return " · ".join(words)


def render_queue(rows: list[dict[str, Any]]) -> str:
    """The waiting runs in order, with what can be done to each; nothing where none waits."""
    queue = sorted((row for row in rows if row.get("place")), key=lambda row: row["place"])
    if not queue:
        return ""
    items = "".join(_queue_item(row, len(queue)) for row in queue)
    return f'<div class="lab-queue"><p>Waiting</p><ol>{items}</ol></div>'


def _queue_item(row: dict[str, Any], length: int) -> str:
    name = row["name"]
    up = action_button("↑", "up", name, f"Move {name} up") if row["place"] > 1 else ""
    down = action_button("↓", "down", name, f"Move {name} down") if row["place"] < length else ""
    withdraw = action_button("Withdraw", "withdraw", name)
    if row["state"] == "damaged":
        words, up, down = f"{name} · damaged", "", ""  # it can't begin, whatever its place
    else:
        words = f"{row['model']} · {row['data']} · seed {row['seed']}"
    return f"<li><span>{escape(words)}</span><span>{up}{down}{withdraw}</span></li>"


def render_status(engine: str, rows: list[dict[str, Any]]) -> str:
    """One slim line: the engine, what runs, how far, how many wait."""
    running = [row for row in rows if row["state"] == RunState.RUNNING.value]
    waiting = sum(1 for row in rows if row.get("place"))
    parts = [f"<span>Engine</span> {escape(engine)}"]
    for row in running[:2]:
        doing = row.get("doing", "Training")
        parts.append(f"<span>{doing}</span> {escape(row['model'])} {_progress(row)}")
    if len(running) > 2:
        parts.append(f"and {len(running) - 2} more")
    if waiting:
        parts.append(f"<span>Waiting</span> {waiting}")
    return f'<p class="lab-status">{" · ".join(parts)}</p>'


def _progress(row: dict[str, Any]) -> str:
    """How far it is, and the button that stops it, until that was pressed."""
    if row.get("is_stopping"):
        return "stopping"
    done = "starting"
    if row["eta_seconds"] is not None:
        share = 100 * row["step"] / row["total_steps"]
        done = f"{share:.0f} %, {clock(row['eta_seconds'])} left"
    stop = action_button("Stop", "stop", row["name"], f"Stop {row['name']}")
    return f"{done} {stop}"


def action_commands(row: dict[str, Any]) -> str:
    """What the buttons do, as command lines."""
    if row["state"] == "damaged":
        return ""
    name = row["name"]
    acts = {
        "running": ["stop"],
        "queued": ["move", "withdraw"],
        "finished": ["extend", "export"],
    }.get(row["state"], ["resume", "extend"])
    extras = {"extend": ("--epochs", "1"), "move": ("--to", "1")}
    lines = [
        command_line("resnet_core", "runs", act, name, *extras.get(act, ()), folders=(RUNS,))
        for act in acts
    ]
    trained, *extended = row["command"].split("\n")
    made = [with_folders(trained, RUNS, DATA), *(with_folders(line, RUNS) for line in extended)]
    return "\n".join([*made, *lines])
