"""The weights for nets for photos that torchvision publishes, as a table. No torch: the app lists it.

Every figure is torchvision's own (`torchvision.models.get_model_weights`), and a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass

from resnet_core.errors import ModelError
from resnet_core.models.config import parse_model_name

URL = "https://download.pytorch.org/models"
INPUT_SIZE = 224
LICENCE = (
    "torchvision's, BSD 3-Clause; trained on ImageNet, and torchvision leaves it to you whether "
    "you may use them"
)
ACCURACY_SOURCE = "torchvision, one crop of ImageNet's validation images"


@dataclass(frozen=True)
class Weights:
    """One file of weights, and what its publisher says of it."""

    net: str
    version: str
    """`v1` or `v2`: torchvision's IMAGENET1K_V1, IMAGENET1K_V2."""
    sha256_start: str
    """The first hexadecimal digits of its SHA-256, which torchvision puts into its name."""
    mebibytes: float
    top1_percent: float
    """Published share of ImageNet's validation images whose first answer is right."""
    resize: int
    """Pixels of the shorter side before the crop."""
    params: int
    class_names: tuple[str, ...] = ()
    """Empty for ImageNet's."""
    input_size: int = INPUT_SIZE

    @property
    def file_name(self) -> str:
        return f"{self.net}-{self.sha256_start}.pth"

    @property
    def size_bytes(self) -> int:
        """About: the table has it to a thousandth of a MiB."""
        return round(self.mebibytes * 2**20)

    @property
    def crop_share(self) -> float:
        return self.input_size / self.resize

    @property
    def depth(self) -> int:
        return parse_model_name(self.net).depth

    @property
    def model_name(self) -> str:
        """What the model is called here; `resnet50_v1` alone is a net for small pictures."""
        newest = find_weights(self.net).version == self.version
        return f"{self.net}_imagenet" + ("" if newest else f"_{self.version}")


WEIGHTS = tuple(
    Weights(*row)
    for row in (
        ("resnet18", "v1", "f37072fd", 44.661, 69.758, 256, 11_689_512),
        ("resnet34", "v1", "b627a593", 83.275, 73.314, 256, 21_797_672),
        ("resnet50", "v1", "0676ba61", 97.781, 76.13, 256, 25_557_032),
        ("resnet50", "v2", "11ad3fa6", 97.79, 80.858, 232, 25_557_032),
        ("resnet101", "v1", "63fe2227", 170.511, 77.374, 256, 44_549_160),
        ("resnet101", "v2", "cd907fc2", 170.53, 81.886, 232, 44_549_160),
        ("resnet152", "v1", "394f9c45", 230.434, 78.312, 256, 60_192_808),
        ("resnet152", "v2", "f82ba261", 230.474, 82.284, 232, 60_192_808),
        ("wide_resnet50_2", "v1", "95faca4d", 131.82, 78.468, 256, 68_883_240),
        ("wide_resnet50_2", "v2", "9ba9bcbe", 263.124, 81.602, 232, 68_883_240),
        ("wide_resnet101_2", "v1", "32ee1156", 242.896, 78.848, 256, 126_886_696),
        ("wide_resnet101_2", "v2", "d733dc28", 484.747, 82.51, 232, 126_886_696),
        ("resnext50_32x4d", "v1", "7cdf4587", 95.789, 77.618, 256, 25_028_904),
        ("resnext50_32x4d", "v2", "1a0047aa", 95.833, 81.198, 232, 25_028_904),
        ("resnext101_32x8d", "v1", "8ba56ff5", 339.586, 79.312, 256, 88_791_336),
        ("resnext101_32x8d", "v2", "110c445d", 339.673, 82.834, 232, 88_791_336),
        ("resnext101_64x4d", "v1", "173b62eb", 319.318, 83.246, 232, 83_455_272),
    )
)


def newest_weights() -> list[Weights]:
    """The newest of every net, which are the most accurate, in the table's order."""
    return list({weights.net: weights for weights in WEIGHTS}.values())


def find_weights(net: str, version: str | None = None) -> Weights:
    """The weights of a net, the newest where no version is said.

    Raises:
        ModelError: there are none of it, with those there are.
    """
    found = [w for w in WEIGHTS if w.net == net and version in (None, w.version)]
    if not found:
        what = f"'{net}'" + (f" in version {version}" if version else "")
        known = ", ".join(f"{w.net} ({w.version})" for w in WEIGHTS)
        raise ModelError(f"There are no published weights of {what}: there are {known}.")
    return found[-1]
