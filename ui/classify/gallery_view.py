"""Many answers as HTML: a page of small pictures, by class or by doubt. All text is escaped."""

from __future__ import annotations

import base64
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from itertools import groupby
from pathlib import Path

from export.folder.stream import Told
from export.threads import usable_cores
from resnet_core.errors import PictureError
from resnet_core.pictures import read_picture
from resnet_core.plural import counted
from ui.action_list import action_button

BY_CLASS, BY_DOUBT = "class", "doubt"
PAGE = 24
THUMBNAIL_PIXELS = 176
MOST_NAMED = 5
UNREADABLE = "Can't be read"


@dataclass(frozen=True)
class Card:
    """One picture's answer, as the gallery shows it."""

    path: Path
    class_name: str
    """Empty where the file can't be read."""
    probability: float
    next_name: str
    next_probability: float
    doubt: float
    problem: str

    @property
    def group(self) -> str:
        return self.class_name or UNREADABLE


def make_card(told: Told, class_names: Sequence[str]) -> Card:
    if told.probabilities is None:
        return Card(told.path, "", 0.0, "", 0.0, told.doubt, told.problem)
    ranked = [(class_names[index], float(told.probabilities[index])) for index in told.ranks[:2]]
    (first, p), (second, q) = [*ranked, ("", 0.0)][:2]
    return Card(told.path, first, p, second, q, told.doubt, "")


def render_gallery(cards: Sequence[Card], order: str, page: int = 0) -> str:
    """A page of cards, what can't be read last, with buttons that lead to the pages beside it.

    Args:
        order: `BY_CLASS`, the surest of each class first, or `BY_DOUBT`, the most doubtful first.
        page: counted from 0; beyond the last is the last.
    """
    pages = max(1, -(-len(cards) // PAGE))
    page = min(max(page, 0), pages - 1)
    shown = _sorted(cards, order)[page * PAGE : (page + 1) * PAGE]
    groups = _by_class(shown, Counter(card.group for card in cards))
    by_class = f'<div class="lab-groups">{"".join(groups)}</div>'
    body = by_class if order == BY_CLASS else _render_cards(shown)
    pager = _pager(page, pages, len(cards))
    return (
        f'<p class="lab-note" role="status">{_summary(cards)}</p>{pager}{body}'
        f"{pager if len(shown) > PAGE // 2 else ''}"
    )


def _sorted(cards: Sequence[Card], order: str) -> list[Card]:
    if order == BY_DOUBT:
        return sorted(cards, key=lambda card: (bool(card.problem), -card.doubt))
    return sorted(cards, key=lambda card: (bool(card.problem), card.group, -card.probability))


def _summary(cards: Sequence[Card]) -> str:
    read = Counter(card.class_name for card in cards if not card.problem).most_common()
    named = [f"{count:,} {escape(name)}" for name, count in read[:MOST_NAMED]]
    if len(read) > MOST_NAMED:
        named.append(f"{sum(count for _, count in read[MOST_NAMED:]):,} of other classes")
    if bad := sum(bool(card.problem) for card in cards):
        named.append(f"{bad:,} can't be read")
    files = counted(len(cards), "file")
    return f"<b>{files}:</b> {', '.join(named)}."


def _by_class(cards: Sequence[Card], counts: Counter[str]) -> Iterator[str]:
    """A section a class, as wide as its pictures, so that small ones stand beside each other."""
    for name, group in groupby(cards, key=lambda card: card.group):
        shown = list(group)
        yield (
            f'<section style="--pictures: {len(shown)}">'
            f'<h3 class="lab-group">{escape(name)} <small>{counts[name]:,}</small></h3>'
            f"{_render_cards(shown)}</section>"
        )


def _pager(page: int, pages: int, files: int) -> str:
    if pages == 1:
        return ""
    before = action_button("← Previous", "page", str(page - 1)) if page else ""
    after = action_button("Next →", "page", str(page + 1)) if page + 1 < pages else ""
    last = min(files, (page + 1) * PAGE)
    return (
        f'<div class="lab-pager">{before}<span>{page * PAGE + 1:,} to {last:,} of {files:,}</span>'
        f"{after}</div>"
    )


def _render_cards(cards: Sequence[Card]) -> str:
    with ThreadPoolExecutor(usable_cores(), "thumbnail") as pool:
        thumbnails = pool.map(thumbnail, (card.path for card in cards))
        items = "".join(map(_render_card, cards, thumbnails))
    return f'<ul class="lab-shots">{items}</ul>'


def _render_card(card: Card, picture: str) -> str:
    name = escape(card.path.name)
    shown = f'<img alt="" src="{picture}">' if picture else '<span class="lab-no-picture">?</span>'
    if card.problem:
        said = f"<small>{escape(card.problem)}</small>"
    else:
        second = f"{escape(card.next_name)} {_percent(card.next_probability)}, "
        said = (
            f"<b>{escape(card.class_name)} {_percent(card.probability)}</b>"
            f"<small>{second if card.next_name else ''}doubt {_percent(card.doubt)}</small>"
        )
    return f'<li>{shown}<span class="lab-file" title="{name}">{name}</span>{said}</li>'


def _percent(share: float) -> str:
    return f"{100 * share:.1f}&nbsp;%"  # below a small picture a line is short


@lru_cache(maxsize=1024)
def thumbnail(path: Path) -> str:
    """The picture, small, as a data URL of a few kB; empty where it can't be read.

    The server draws it: browsers can't show every format that we read, nor should a page load
    a hundred photos to show them small.
    """
    try:
        image = read_picture(path, THUMBNAIL_PIXELS).image
    except PictureError:
        return ""
    image.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
