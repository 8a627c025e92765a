"""Skip surgery against forward passes put together by hand, from functional operations."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from resnet_core.analysis.surgery import Operation, find_blocks, score_after, survey
from resnet_core.errors import ConfigError

DEPTHS = {"plain": 14, "resnet_v1": 14, "highway": 14, "resnet_v2": 20}
CASES = [
    ("plain", "A"), ("resnet_v1", "A"), ("resnet_v1", "B"), ("highway", "A"), ("resnet_v2", "A"),
    ("resnet_v2", "B"), ("resnet_v2", "tutorial"),
]  # fmt: skip


def conv(x, layer, stride=1):
    return F.conv2d(x, layer.weight, layer.bias, stride, layer.weight.shape[-1] // 2)


def norm(x, layer):
    return F.batch_norm(
        x, layer.running_mean, layer.running_var, layer.weight, layer.bias, eps=layer.eps
    )


def padded(x, channels, stride):
    extra = channels - x.shape[1]
    out = torch.zeros(len(x), channels, x.shape[2] // stride, x.shape[3] // stride)
    out[:, extra // 2 : extra // 2 + x.shape[1]] = x[:, :, ::stride, ::stride]
    return out


def shortcut(block, x, channels, stride, option):
    if x.shape[1] == channels and stride == 1:
        return x
    if option == "A":
        return padded(x, channels, stride)
    if option == "tutorial":
        return conv(x, block.shortcut, stride)
    return norm(conv(x, block.shortcut[0], stride), block.shortcut[1])


def basic(family, option, block, x, is_off, stride):
    channels = block.conv1.weight.shape[0]
    if family == "plain" and is_off:
        return padded(x, channels, stride)
    branch = norm(
        conv(F.relu(norm(conv(x, block.conv1, stride), block.bn1)), block.conv2), block.bn2
    )
    if family == "plain":
        return F.relu(branch)
    carried = shortcut(block, x, channels, stride, option)
    if family == "highway":
        gate = torch.sigmoid(F.conv2d(x, block.gate.weight, block.gate.bias, stride))
        return carried if is_off else F.relu(branch) * gate + carried * (1 - gate)
    return F.relu(carried if is_off else branch + carried)


def bottleneck(option, block, x, is_off, stride):
    has_first = hasattr(block.bn1, "running_mean")
    active = F.relu(norm(x, block.bn1)) if has_first else x
    channels = block.conv3.weight.shape[0]
    if option == "B" and (x.shape[1] != channels or stride != 1):
        carried = conv(active, block.shortcut, stride)
    else:
        carried = shortcut(block, x, channels, stride, option)
    if is_off:
        return carried
    out = conv(active, block.conv1, stride)
    out = conv(F.relu(norm(out, block.bn2)), block.conv2)
    return carried + conv(F.relu(norm(out, block.bn3)), block.conv3)


def by_hand(model, pictures, order, off):
    """Logits with the blocks in `order` (numbers from 1) and those in `off` switched off."""
    net, config = model.network, model.config
    x = ((pictures.images.float() - 120) / 60).permute(0, 3, 1, 2)
    x = conv(x, net.stem[0])
    if len(net.stem) > 1:
        x = F.relu(norm(x, net.stem[1]))
    blocks = [*net.stage1, *net.stage2, *net.stage3]
    firsts = (len(net.stage1) + 1, len(net.stage1) + len(net.stage2) + 1)
    for number in order:
        block, stride = blocks[number - 1], 2 if number in firsts else 1
        if config.family == "resnet_v2":
            x = bottleneck(config.shortcut, block, x, number in off, stride)
        else:
            x = basic(config.family, config.shortcut, block, x, number in off, stride)
    if config.family == "resnet_v2":
        x = F.relu(norm(x, net.pre_logits[0]))
    return F.linear(x.mean((2, 3)), net.classifier.weight, net.classifier.bias)


def check(score, logits, labels):
    assert score.loss == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-4)
    assert score.error_percent == pytest.approx(
        100 * (logits.argmax(1) != labels).float().mean().item()
    )


@pytest.mark.parametrize(("family", "option"), CASES)
def test_each_block_switched_off_equals_a_pass_by_hand(
    make_model, pictures, family: str, option: str
) -> None:
    model = make_model(family, DEPTHS[family], option)
    scores = list(survey(model, pictures, "net"))
    order = range(1, 7)
    assert [score.off for score in scores] == [(), *((number,) for number in order)]
    assert [score.stage for score in scores] == [0, 1, 1, 2, 2, 3, 3]
    with torch.no_grad():
        for score in scores:
            check(score, by_hand(model, pictures, order, score.off), pictures.labels)


@pytest.mark.parametrize("family", DEPTHS)
def test_a_swap_with_blocks_off_equals_a_pass_by_hand(make_model, pictures, family: str) -> None:
    model = make_model(family, 26 if family != "resnet_v2" else 38)
    operation = Operation(off=(2, 5), swapped=((6, 8),))
    score = score_after(model, pictures, operation, "net")
    with torch.no_grad():
        logits = by_hand(model, pictures, (1, 2, 3, 4, 5, 8, 7, 6, 9, 10, 11, 12), (2, 5))
        check(score, logits, pictures.labels)


def test_the_survey_and_a_single_operation_agree_and_leave_the_model_as_it_was(
    make_model, pictures
) -> None:
    model = make_model("resnet_v1", 20)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    scores = list(survey(model, pictures, "net", swaps=True))
    assert sum(bool(score.swapped) for score in scores) == 2 + 1 + 1
    for score in scores:
        again = score_after(model, pictures, Operation(score.off, score.swapped), "net")
        assert again.error_percent == score.error_percent
        assert again.loss == pytest.approx(score.loss, rel=1e-6)
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())


def test_a_resumed_survey_measures_only_what_is_missing(make_model, pictures) -> None:
    model = make_model("plain", 14)
    scores = list(survey(model, pictures, "net"))
    done = {Operation(score.off) for score in scores[:4]}
    assert list(survey(model, pictures, "net", done=done)) == scores[4:]


def test_a_residual_block_whose_branch_is_zero_is_not_missed(make_model, pictures) -> None:
    model = make_model("resnet_v1", 14)
    bn = find_blocks(model.network)[3].module.bn2
    torch.nn.init.zeros_(bn.weight)
    torch.nn.init.zeros_(bn.bias)
    whole, without = (score_after(model, pictures, Operation(off), "net") for off in ((), (4,)))
    assert whole.loss == without.loss


def test_what_can_not_be_done_is_said(make_model, pictures) -> None:
    model = make_model("resnet_v1", 14)
    with pytest.raises(ConfigError, match=r"There is no block 9: this net's blocks are 1 to 6"):
        score_after(model, pictures, Operation(off=(9,)), "net")
    with pytest.raises(ConfigError, match="Blocks 2 and 3 can't be swapped"):
        score_after(model, pictures, Operation(swapped=((2, 3),)), "net")
