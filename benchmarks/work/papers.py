"""What He et al. 2015 (arXiv 1512.03385) say of these nets: theirs, quoted beside our counts."""

from __future__ import annotations

SOURCE = "He et al. 2015 (arXiv 1512.03385): Table 1, Fig. 3, §4.1"
# Multiply-adds in billions. Their bottlenecks stride on the first 1x1 convolution.
PAPER_BILLIONS = {
    "vgg16": 15.3,
    "vgg19": 19.6,
    "resnet18": 1.8,
    "resnet34": 3.6,
    "plain34_photo": 3.6,
    "resnet50_paper": 3.8,
    "resnet101_paper": 7.6,
    "resnet152_paper": 11.3,
}
