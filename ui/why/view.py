"""What the section "Why it happens" says: leads, where results come from, how far a job is."""

from __future__ import annotations

from html import escape
from time import time
from typing import TYPE_CHECKING, Any

from benchmarks.figures.style import clock
from benchmarks.why.progress import share_done
from benchmarks.why.stored import Stored
from resnet_core.models.config import FAMILIES
from resnet_core.zoo import zoo_entries
from ui.html import render_command, render_progress_bar
from ui.why.jobs import WhyJob

if TYPE_CHECKING:
    from benchmarks.why.interactive import QuickScore

TITLES = {
    "gradients": "Gradient flow",
    "surgery": "Skip surgery",
    "landscape": "Loss landscape",
    "responses": "Responses",
    "ensemble": "Ensembles",
}
LEADS = {
    "gradients": (
        "A net learns from a signal that runs backwards through its layers, from the output to the "
        "input. If it died on the way, the first layers could not learn: this is how strong it is "
        "in every layer of nets that have not learnt yet."
    ),
    "surgery": (
        "What does a trained net lose when one of its blocks is switched off? With shortcuts the "
        "picture still finds a way past the block; without them every block stands in the only way."
    ),
    "landscape": (
        "Training walks downhill on a landscape of loss. This is a small piece of it around a "
        "trained net, in two random directions: a wide smooth bowl is easy to walk, a rugged or "
        "steep one is hard."
    ),
    "responses": (
        "How strongly does each layer's output vary after batch norm, before the ReLU or the "
        "addition? Of the two layers in a residual block the second is what is added to the shortcut: "
        "the smaller it is, the less the block changes what it is given. In a plain net every layer "
        "replaces what it is given."
    ),
    "ensemble": (
        "Nets that are wrong about different pictures can correct each other: average the answers "
        "of several and compare with the best of them alone."
    ),
}
SOURCES = {
    "gradients": (
        "He et al. 2015 (arXiv 1512.03385 §4.1) doubted that deep plain nets fail for vanishing "
        "gradients. That batch norm can make gradients grow with depth instead was shown by Yang et "
        "al. 2019 (arXiv 1902.08129)."
    ),
    "surgery": (
        "After Veit et al. 2016 (arXiv 1605.06431). A block that is off leaves its shortcut; a "
        "plain block is taken out, with zero padding where the shape changes (↓). Dashed: the net as "
        "trained. Diamonds: two neighbours swapped."
    ),
    "landscape": (
        "After Li et al. 2018 (arXiv 1712.09913): filter-normalised directions, biases and batch "
        "norm left alone, batch norm with its stored statistics. All surfaces on the same axes."
    ),
    "responses": (
        "After He et al. 2015 (arXiv 1512.03385 Fig. 7): standard deviation over images, channels "
        "and places, for every 3 × 3 layer. It is mostly the learned scale of the batch norm, which "
        "the shipped nets' recipe leaves without weight decay, unlike the paper's. In ResNet v2 the "
        "batch norm stands before the next layer, inside the branch: none of what is drawn is added "
        "itself."
    ),
    "ensemble": (
        "The mean of the nets' probabilities answers, on the test images. Every choice of nets is a "
        "point, none is picked by its test error; the best alone is known only after the fact."
    ),
}
NOT_YET = '<p class="lab-note">Nothing has been computed here yet.</p>'


def render_origin(stored: Stored | None) -> str:
    """What was measured on what, by which command."""
    if stored is None:
        return NOT_YET
    header = stored.header
    return (
        f'<p class="lab-note">Measured on {header["images"]:,} {escape(header["split"])} images of '
        f"{escape(header['data'])}. {escape(header['reason'])}</p>"
        f"{render_command(header['command'], 'The command that gave this')}"
    )


def render_job(job: WhyJob, stored: Stored | None) -> str:
    """How far the computation is, or how it ended badly."""
    if job.process_id() is None:
        problem = job.problem()
        return f'<p class="lab-note" role="alert">{escape(problem)}</p>' if problem else ""
    share = share_done(stored) if stored is not None else 0.0
    elapsed = max(0.0, time() - job.facts()["started_at"])
    left = f", about {clock(elapsed * (1 - share) / share)} left" if 0.02 < share < 1 else ""
    rows = f"{len(stored.rows):,} results so far{left}" if stored else "getting ready"
    return (
        '<p class="lab-note lab-busy"><span role="status">Computing</span> · '
        f"{rows}. You can leave the page.</p>"
        f"{render_progress_bar(share, f'Progress of {TITLES[job.analysis]}', 'resnet_v1')}"
    )


def render_change(
    model: str, family: str, operation: str, score: QuickScore, seconds: float
) -> str:
    """Error before and after an operation, as two bars."""
    bars = "".join(
        f'<li><span>{escape(label)}</span><span class="lab-share">{error:.1f} %</span>'
        f'<span class="lab-bar"><span style="width:{error:.2f}%"></span></span></li>'
        for label, error in (
            ("error as trained", score.whole_percent),
            (f"error with {operation}", score.after_percent),
        )
    )
    points = score.after_percent - score.whole_percent
    verdict = "No change" if abs(points) < 0.05 else f"{points:+.1f} points of error"
    return (
        f'<div class="lab-card lab-{escape(family)}" role="status">'
        f'<p class="lab-model"><span class="lab-dot"></span>{escape(model)}</p>'
        f'<h2 class="lab-verdict">{verdict}</h2><ol class="lab-ranks">{bars}</ol>'
        f'<p class="lab-times">{score.images:,} {score.split} images, {seconds:.1f} s</p></div>'
    )


def model_choices(runs: list[dict[str, Any]]) -> list[str]:
    """Shipped nets, then finished runs, by the names that the commands take."""
    shipped = sorted(entry.name for entry in zoo_entries())
    return [*shipped, *(row["name"] for row in runs if row["state"] == "finished")]


def operable_choices(runs: list[dict[str, Any]]) -> list[str]:
    """Those of them that surgery knows the blocks of: nets for photos are built otherwise."""
    return model_choices([row for row in runs if row.get("family") in FAMILIES])
