"""Other people's checkpoints, imported: their own forward says what the model must answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from resnet_core.__main__ import main
from resnet_core.doctor import keep
from resnet_core.models.config import ModelConfig
from resnet_core.models.network import PixelModel
from resnet_core.models.saved import save_model
from resnet_core.training.find import find_model
from resnet_core.zoo import imported_entries
from tests.resnet_core.doctor.ports import (
    Port,
    PreActPort,
    logits,
    save,
    some_pixels,
    unsettle,
)

KNOWN = ("--normalisation", "imagenet", "--data", "cifar10")


def answers(tmp_path: Path, name: str, images: Tensor) -> Tensor:
    with torch.no_grad():
        return find_model(name, tmp_path / "runs").saved.model(images)


def with_optimizer(net: nn.Module) -> dict[str, Any]:
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.rand(2, 3, 32, 32)).sum().backward()
    optimizer.step()
    return {"epoch": 3, "model_state_dict": net.state_dict(), "optimizer": optimizer.state_dict(), "best_acc": 91.5}  # fmt: skip


def without_counters(net: nn.Module) -> dict[str, Tensor]:
    return {k: t for k, t in net.state_dict().items() if not k.endswith("num_batches_tracked")}


def renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """By the names of the ports that pad all new channels after the old."""
    changes = {
        "conv1.": "conv_1_3x3.", "bn1.": "bn_1.", "linear.": "classifier.", "layer": "stage_",
        ".conv1.": ".conv_a.", ".bn1.": ".bn_a.", ".conv2.": ".conv_b.", ".bn2.": ".bn_b.",
    }  # fmt: skip

    def change(key: str) -> str:
        in_block = "layer" in key
        for a, b in changes.items():
            if a.startswith(".") == in_block or a == "layer":
                key = key.replace(a, b)
        return key

    return {change(key): tensor for key, tensor in state.items()}


CASES: dict[str, tuple[nn.Module, Callable[[nn.Module], Any], str, bool, tuple[str, int, str]]] = {
    "data parallel, option A, old format": (
        Port(3), lambda n: {"state_dict": nn.DataParallel(n).state_dict(), "best_prec1": 91.7},
        "resnet20.th", True, ("resnet_v1", 20, "A"),
    ),
    "option B in 'net'": (
        Port(2, "B"), lambda n: {"net": n.state_dict(), "acc": 93.0, "epoch": 7},
        "ckpt.pth", False, ("resnet_v1", 14, "B"),
    ),
    "downsample and fc, safetensors": (
        Port(1, "B", "downsample", "fc"), lambda n: n.state_dict(),
        "net.safetensors", False, ("resnet_v1", 8, "B"),
    ),
    "downsample and fc in a DataParallel": (
        Port(1, "B", "downsample", "fc"), lambda n: {"state_dict": nn.DataParallel(n).state_dict()},
        "model_best.pth.tar", False, ("resnet_v1", 8, "B"),
    ),
    "with optimiser": (Port(1), with_optimizer, "a.pt", False, ("resnet_v1", 8, "A")),
    "prefixes in a row": (
        Port(1), lambda n: {f"module._orig_mod.model.{k}": t for k, t in n.state_dict().items()},
        "a.safetensors", False, ("resnet_v1", 8, "A"),
    ),
    "before counters": (Port(1), without_counters, "a.pth", True, ("resnet_v1", 8, "A")),
    "keep_vars": (Port(1), lambda n: n.state_dict(keep_vars=True), "a.pth", False, ("resnet_v1", 8, "A")),
    "averaged": (
        Port(1), lambda n: torch.optim.swa_utils.AveragedModel(n).state_dict(),
        "swa.pth", False, ("resnet_v1", 8, "A"),
    ),
    "zeros all after": (
        Port(3, "A after"), lambda n: {"state_dict": renamed(nn.DataParallel(n).state_dict())},
        "pruned.pth.tar", False, ("resnet_v1", 20, "A"),
    ),
    "pre-activation": (PreActPort(2), lambda n: n.state_dict(), "v2.pth", False, ("resnet_v2", 20, "B")),
    "pre-activation, bn1 last": (
        PreActPort(1, norm="bn1"), lambda n: n.state_dict(), "v2.pth", False, ("resnet_v2", 11, "B"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_imported_net_answers_as_its_own_code(
    case: str, tmp_path: Path, do_import: Callable[..., dict[str, Any]]
) -> None:
    net, content, file, legacy, expected = CASES[case]
    path = save(content(net), tmp_path / file, legacy)
    net.eval()
    card = do_import(path, *KNOWN, "--stride-in", "1x1", "--name", "theirs")
    config = card["config"]
    assert (config["family"], config["depth"], config["shortcut"]) == expected
    assert card["test_error_percent"] is None and card["training"] == "not known"
    images = some_pixels()
    theirs = logits(net, images)
    assert theirs.std() > 0.01  # a constant answer would be easily met
    torch.testing.assert_close(answers(tmp_path, "theirs", images), theirs, atol=1e-5, rtol=1e-5)


def test_the_card_says_where_it_comes_from(
    tmp_path: Path, do_import: Callable[..., dict[str, Any]]
) -> None:
    import hashlib

    path = save(with_optimizer(Port(1)), tmp_path / "their net (1).pth")
    card = do_import(path, *KNOWN)
    assert card["model"] == "their-net-1"
    said = card["imported"]
    assert said["source"] == "imported from their net (1).pth"
    assert said["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert said["part"] == "model_state_dict" and said["normalisation"] == "imagenet"
    tensors = 3 * len(list(Port(1).parameters()))
    assert said["left_out"] == ["epoch", f"optimizer ({tensors} tensors)", "best_acc"]
    assert "plain" in said["assumed"][0]
    (entry,) = imported_entries(tmp_path / "runs")
    assert entry.card == {k: v for k, v in card.items() if k not in ("model", "folder")}
    assert str(tmp_path) not in json.dumps(entry.card)


def test_the_cards_command_makes_the_same_model(
    tmp_path: Path, do_import: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import shlex

    path = save(PreActPort(1).state_dict(), tmp_path / "v2.pth")
    card = do_import(path, "--normalisation", "0.5,0.4,0.3/0.2,0.3,0.4", "--data", "shapes", "--stride-in", "1x1")  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main([*shlex.split(card["command"])[3:], "--runs", "again"]) == 0
    (entry,) = imported_entries(tmp_path / "again")
    assert entry.card == {k: v for k, v in card.items() if k not in ("model", "folder")}
    again = find_model(str(entry.folder), Path("nowhere")).saved
    images = some_pixels()
    with torch.no_grad():
        assert torch.equal(again.model(images), answers(tmp_path, "v2", images))


def test_weights_in_half_precision_are_widened(
    tmp_path: Path, do_import: Callable[..., dict[str, Any]]
) -> None:
    net = Port(1).half()
    do_import(save(net.state_dict(), tmp_path / "a.safetensors"), *KNOWN)
    images = some_pixels()
    torch.testing.assert_close(answers(tmp_path, "a", images), logits(net.float(), images), atol=1e-5, rtol=1e-5)  # fmt: skip


def test_of_several_parts_one_is_taken_and_another_can_be_named(
    tmp_path: Path, do_import: Callable[..., dict[str, Any]]
) -> None:
    net, smoothed = Port(1), Port(1)
    path = save({"state_dict_ema": smoothed.state_dict(), "state_dict": net.state_dict()}, tmp_path / "a.pth")  # fmt: skip
    card = do_import(path, *KNOWN)
    assert card["imported"]["left_out"] == [f"state_dict_ema ({len(net.state_dict())} tensors)"]
    do_import(path, *KNOWN, "--part", "state_dict_ema", "--name", "ema")
    images = some_pixels()
    for name, theirs in (("a", net), ("ema", smoothed)):
        torch.testing.assert_close(answers(tmp_path, name, images), logits(theirs, images), atol=1e-5, rtol=1e-5)  # fmt: skip
    unclear = save({"teacher": net.state_dict(), "student": smoothed.state_dict()}, tmp_path / "b.pth")  # fmt: skip
    assert main(["import", str(unclear), *KNOWN]) == 2
    do_import(unclear, *KNOWN, "--part", "student")


def test_a_plain_nets_names_fit_two_families_and_a_person_decides(
    tmp_path: Path, do_import: Callable[..., dict[str, Any]]
) -> None:
    net = Port(2, "none")
    path = save(net.state_dict(), tmp_path / "a.pth")
    assert do_import(path, *KNOWN, "--name", "skips")["config"]["family"] == "resnet_v1"
    assert do_import(path, *KNOWN, "--family", "plain", "--name", "plain")["name"] == "plain14"
    images = some_pixels()
    theirs = logits(net, images)
    torch.testing.assert_close(answers(tmp_path, "plain", images), theirs, atol=1e-5, rtol=1e-5)
    assert (answers(tmp_path, "skips", images) - theirs).abs().max() > 0.01


@pytest.mark.parametrize(
    "config",
    [ModelConfig("highway", 8, "B"), ModelConfig("resnet_v2", 11, "tutorial", classes=3), ModelConfig("plain", 8)],
    ids=lambda config: config.name,
)  # fmt: skip
def test_files_of_this_kit_say_all_themselves(
    config: ModelConfig, tmp_path: Path, do_import: Callable[..., dict[str, Any]]
) -> None:
    model = PixelModel(config, torch.rand(32, 32, 3) * 255, torch.rand(32, 32, 3) * 99 + 1)
    unsettle(model)
    names = tuple(f"thing {i}" for i in range(config.classes))
    save_model(tmp_path / "ours.safetensors", model, names)
    card = do_import(tmp_path / "ours.safetensors")
    assert card["config"] == config.to_dict() and card["class_names"] == list(names)
    images = some_pixels()
    with torch.no_grad():
        torch.testing.assert_close(answers(tmp_path, "ours", images), model(images))


def test_a_runs_state_is_read_without_its_optimiser(
    tmp_path: Path, do_import: Callable[..., dict[str, Any]]
) -> None:
    from resnet_core.runs.checkpoint import Progress, save_checkpoint

    model = PixelModel(ModelConfig("highway", 8), torch.full((3,), 100.0), torch.full((3,), 50.0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(some_pixels()).sum().backward()
    optimizer.step()
    model.eval()
    state = tmp_path / "last.state"
    save_checkpoint(state, model, [optimizer], [torch.get_rng_state()], Progress())
    card = do_import(state, "--data", "cifar10")
    assert card["name"] == "highway8" and card["imported"]["stripped"] == "model.network."
    assert any("optimizer" in said for said in card["imported"]["left_out"])
    images = some_pixels()
    with torch.no_grad():
        torch.testing.assert_close(answers(tmp_path, "last", images), model(images))


def test_what_no_weight_tells_is_asked_for_in_one_sentence_each(
    tmp_path: Path, do_import: Callable[..., Any]
) -> None:
    path = save(PreActPort(1).state_dict(), tmp_path / "a.pth")
    said = do_import(path, fails=True)
    for word in ("resnet11_v2", "--normalisation", "--classes", "--stride-in"):
        assert word in said
    assert "--normalisation" not in do_import(path, "--normalisation", "half", fails=True)
    assert "not supported" in do_import(path, *KNOWN, "--stride-in", "3x3", fails=True)
    for wrong in ("nosuch", "0.5,0.5/0.2,0.2", "0.5,0.5,0.5/0,1,1", "120,120,120/50,50,50", "nan,0,0/1,1,1"):  # fmt: skip
        assert "no normalisation" in do_import(path, "--normalisation", wrong, fails=True)
    assert "with --data" in do_import(path, "--try-normalisations", fails=True)
    assert "with --data" in do_import(path, "--normalisation", "per_pixel_mean", fails=True)


def test_class_names_come_from_a_file_of_the_right_length(
    tmp_path: Path, do_import: Callable[..., Any]
) -> None:
    path = save(Port(1, classes=3).state_dict(), tmp_path / "a.pth")
    half = ("--normalisation", "half")
    assert "has 10 classes and this net tells 3" in do_import(path, *half, "--data", "cifar10", fails=True)  # fmt: skip
    names = tmp_path / "names.txt"
    for text, found in (("cat\ndog\n", "found 2"), ("cat\ndog\ncat", "2 of them different")):
        names.write_text(text)
        assert found in do_import(path, *half, "--classes", names, fails=True)
    assert "can't be read" in do_import(path, *half, "--classes", tmp_path / "no.txt", fails=True)
    names.write_text("cat\ndog\n\nEisbär\n", encoding="utf-8")
    card = do_import(path, *half, "--classes", names)
    assert card["class_names"] == ["cat", "dog", "Eisbär"] and card["data"] == "unknown"
    names.write_text('["a", "b", "c"]')
    assert do_import(path, *half, "--classes", names, "--name", "b")["class_names"] == ["a", "b", "c"]  # fmt: skip


def test_names_are_taken_once(tmp_path: Path, do_import: Callable[..., Any]) -> None:
    path = save(Port(1).state_dict(), tmp_path / "a.pth")
    for wrong in ("../up", ".hidden", "two words", "x" * 81):
        assert "can't be a model's name" in do_import(path, *KNOWN, "--name", wrong, fails=True)
    assert "already" in do_import(path, *KNOWN, "--name", "resnet20_v1", fails=True)
    do_import(path, *KNOWN)
    assert main(["import", str(path), *KNOWN, "--runs", str(tmp_path / "runs")]) == 2
    assert [entry.name for entry in imported_entries(tmp_path / "runs")] == ["a"]


def test_two_imports_of_one_name_at_once_leave_one_whole_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    first_net, second_net = Port(1), Port(2)
    paths = [
        save(net.state_dict(), tmp_path / name)
        for net, name in ((first_net, "first.pth"), (second_net, "second.pth"))
    ]
    is_writing, may_go_on = threading.Event(), threading.Event()
    calls: list[Path] = []

    def save_slowly(path: Path, *words: Any) -> None:
        save_model(path, *words)
        calls.append(path)
        if len(calls) == 1:
            is_writing.set()
            assert may_go_on.wait(60)

    monkeypatch.setattr(keep, "save_model", save_slowly)

    def do(path: Path) -> int:
        words = (*KNOWN, "--stride-in", "1x1", "--name", "one", "--runs", str(tmp_path / "runs"))
        return main(["import", str(path), *words])

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(do, paths[0])
        assert is_writing.wait(60)
        second = pool.submit(do, paths[1])
        # It gets as far as the lock, unless there is none and it ends.
        wait([second], timeout=2)
        may_go_on.set()
        assert (first.result(), second.result()) == (0, 2)
    assert "already" in capsys.readouterr().err
    images = some_pixels()
    torch.testing.assert_close(
        answers(tmp_path, "one", images), logits(first_net.eval(), images), atol=1e-5, rtol=1e-5
    )
    assert [entry.name for entry in imported_entries(tmp_path / "runs")] == ["one"]
    assert [path.name for path in (tmp_path / "runs" / "imported").iterdir()] == ["one"]
