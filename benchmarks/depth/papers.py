"""What the papers report on CIFAR-10, to stand beside our figures and never among them."""

from __future__ import annotations

from dataclasses import dataclass

HE_2015 = "He et al. 2015, arXiv 1512.03385, Table 6"
HE_2016 = "He et al. 2016, arXiv 1603.05027"
PAPER_EPOCHS = 182  # 64,000 steps of 128 images out of 45,000 (1512.03385 §4.2)
# What two runs of one net may differ by: the paper's own five of ResNet-110 have a deviation of
# 0.16 points, and 1.96 · √2 · 0.16 is 0.44.
PAPER_MARGIN_POINTS = 0.5


@dataclass(frozen=True)
class PaperFigure:
    """A test error that somebody published."""

    family: str
    depth: int
    test_error_percent: float
    source: str
    note: str = ""


PAPER_FIGURES = (
    PaperFigure("resnet_v1", 20, 8.75, HE_2015),
    PaperFigure("resnet_v1", 32, 7.51, HE_2015),
    PaperFigure("resnet_v1", 44, 7.17, HE_2015),
    PaperFigure("resnet_v1", 56, 6.97, HE_2015),
    PaperFigure("resnet_v1", 110, 6.61, HE_2015, "mean of 5 runs, ± 0.16; the best has 6.43 %"),
    PaperFigure("resnet_v1", 1202, 7.93, HE_2015),
    PaperFigure("resnet_v2", 164, 5.46, HE_2016),
    PaperFigure("resnet_v2", 1001, 4.89, HE_2016, "mean of 5 runs, ± 0.14"),
    # Its own architecture of 19 and 32 layers: near ours in depth, not in width.
    PaperFigure("highway", 32, 8.80, "Srivastava et al. 2015, as quoted in " + HE_2015),
)


def paper_figure(family: str, depth: int) -> PaperFigure | None:
    """The published figure for a net; None where there is none."""
    return next((f for f in PAPER_FIGURES if (f.family, f.depth) == (family, depth)), None)
