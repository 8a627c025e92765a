"""`python -m benchmarks vendors`: this kit's rows against the vendors' own tools, in turn.

Same file, batch, threads and precision. A ratio of 1 says that measuring costs nothing: OpenVINO's
`benchmark_app` on one side, a bare loop around ONNX Runtime on the other, neither with a line of
this kit in it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.rounds import Comparison, check_rounds
from resnet_core.console import Commands
from resnet_core.errors import ConfigError, LabError

UNIT = "images_per_second"
LIMIT_SECONDS = 120
"""Beyond the measurement: to open the model."""

BARE_LOOP = """
import sys, time, numpy, onnxruntime
file, batch, threads, seconds = sys.argv[1], *map(float, sys.argv[2:])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(threads)
session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
image = session.get_inputs()[0]
pixels = numpy.random.randint(0, 256, (int(batch), *image.shape[1:]), numpy.uint8)
for _ in range(20):
    session.run(["probabilities"], {image.name: pixels})
began, count = time.perf_counter(), 0
while time.perf_counter() - began < seconds:
    session.run(["probabilities"], {image.name: pixels})
    count += 1
print(count * batch / (time.perf_counter() - began))
"""


def add_vendors(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "this kit's figures against the vendors' own tools: what measuring costs"
    parser = commands.add_parser("vendors", help=text, description=text)
    parser.add_argument(
        "--model", default="resnet20_v1", help="exported model (default: resnet20_v1)"
    )
    parser.add_argument(
        "--batch-size", type=int, default=32, help="images in one call (default: 32)"
    )
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count() or 1, help="(default: one a core)"
    )
    parser.add_argument("--rounds", type=int, default=7, help="pairs of measurements (default: 7)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one (default: 3)")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.set_defaults(execute=_vendors)


def _vendors(options: argparse.Namespace) -> None:
    from export.engines.catalogue import list_choices

    obstacles = {choice.key: choice.obstacle for choice in list_choices(with_pytorch=False)}
    asked = (
        options.model, options.batch_size, options.threads, options.rounds, options.seconds
    )  # fmt: skip
    results: list[dict[str, Any]] = []
    for engine in TOOLS:
        if obstacle := obstacles[engine]:
            results.append({"benchmark": "vendors", "engine": engine, "reason": obstacle.reason})
        else:
            results.append(compare_with_vendor(engine, *asked))
        if not options.json:
            print(_as_line(results[-1]))
    if options.json:
        print(json.dumps(results, indent=2))


def _as_line(result: dict[str, Any]) -> str:
    if "reason" in result:
        return f"{result['engine']}: not measured, {result['reason']}"
    return (
        f"{result['engine']}: this kit {result[f'ours_{UNIT}']:,.0f} images/s, "
        f"{result['tool']} {result[f'theirs_{UNIT}']:,.0f} images/s, ratio {result['ratio']:.3f} "
        f"({result['ratio_lowest']:.3f} to {result['ratio_highest']:.3f} over "
        f"{len(result['rounds']['ours'])} rounds)"
    )


def compare_with_vendor(
    engine: str, model: str, batch: int, threads: int, rounds: int, seconds: float
) -> dict[str, Any]:
    """Images a second of one engine, by this kit's own worker and by the vendor's tool, in turn.

    Args:
        engine: such as openvino-cpu:fp32, one of `TOOLS`.

    Raises:
        ConfigError: nothing would be measured.
        LabError: the engine can't be used here, or the vendor's tool failed.
    """
    from benchmarks.throughput.cases import Setup
    from benchmarks.throughput.measure import Worker
    from export.catalogue import find_exported
    from export.engines.catalogue import find_choice

    check_rounds(rounds, seconds)
    for name, given in (("--batch-size", batch), ("--threads", threads)):
        if given < 1:
            raise ConfigError(f"{name} should be at least 1, not {given}.")
    tool, measure = TOOLS[engine]
    worker = Worker(Setup(model, find_choice(engine), threads)).until_open()
    file = find_exported(model).file
    asked = {"batch_size": batch, "seconds": seconds, "warm": True}
    ours, theirs = [], []
    try:
        for _ in range(rounds):
            told = worker.ask(asked)
            ours.append(batch * len(told["latencies"]) / told["seconds"])
            theirs.append(measure(file, worker.input_size, batch, threads, seconds))
    finally:
        worker.close()
    about = {"benchmark": "vendors", "engine": engine, "tool": tool, "model": model}
    settings = {"batch_size": batch, "threads": threads, "seconds": seconds}
    return about | settings | Comparison(tuple(ours), tuple(theirs)).to_dict(UNIT)


def _benchmark_app(precision: str) -> Callable[..., float]:
    def measure(file: Path, size: int, batch: int, threads: int, seconds: float) -> float:
        with tempfile.TemporaryDirectory() as folder:
            words = {
                "-m": file, "-d": "CPU", "-hint": "none", "-nstreams": 1, "-api": "sync",
                "-nthreads": threads, "-infer_precision": precision, "-t": max(1, round(seconds)),
                "-shape": f"[{batch},{size},{size},3]", "-report_type": "no_counters",
                "-report_folder": folder,
            }  # fmt: skip
            said = [str(word) for pair in words.items() for word in pair]
            # The script beside this Python: it is no module that can be run.
            _run(
                [str(Path(sys.executable).with_name("benchmark_app")), *said, "-json_stats"],
                seconds,
            )
            report = json.loads((Path(folder) / "benchmark_report.json").read_text())
        return float(report["execution_results"]["throughput"])

    return measure


def _bare_loop(file: Path, size: int, batch: int, threads: int, seconds: float) -> float:
    words = [sys.executable, "-c", BARE_LOOP, str(file), *map(str, (batch, threads, seconds))]
    return float(_run(words, seconds))


def _run(words: list[str], seconds: float) -> str:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=True, timeout=seconds + LIMIT_SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        detail = getattr(error, "stderr", None) or str(error)
        raise LabError(f"{Path(words[0]).name} failed: {detail.strip().splitlines()[-1]}") from None
    return done.stdout


TOOLS: dict[str, tuple[str, Callable[..., float]]] = {
    "openvino-cpu:fp32": ("benchmark_app", _benchmark_app("f32")),
    "openvino-cpu:bf16": ("benchmark_app", _benchmark_app("bf16")),
    "onnxruntime-cpu:fp32": ("a bare loop", _bare_loop),
}
"""By engine: the vendor's tool, and how it is asked for images a second."""
