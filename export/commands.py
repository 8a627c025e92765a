"""The commands of `python -m export`. Torch is imported by those that need it, when they run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from export.confidence_commands import add_confidence
from export.engines.interface import Obstacle
from export.fetch_commands import add_fetch
from export.folder.commands import add_folder_options, classify_to_table
from export.inside_commands import add_averaging, add_inside
from export.plan_commands import add_tuning
from export.precisions import EXACT, FILE_PRECISIONS
from export.triton.commands import add_triton_commands
from resnet_core.console import Commands
from resnet_core.errors import LabError
from resnet_core.training.config import DATA_FOLDER_HELP, default_runs_folder

ENGINE_HELP = (
    "what runs the model, such as openvino-cpu:bf16; `engines` lists them (default: the fastest "
    "that `tune` found here, else ONNX Runtime)"
)


def add_commands(commands: Commands[argparse.ArgumentParser]) -> None:
    onnx = commands.add_parser("onnx", help="write a stand-alone ONNX file")
    onnx.add_argument("model", help="shipped model, run folder or .safetensors file")
    onnx.add_argument("--out", type=Path, help="file to write (default: beside the weights)")
    onnx.add_argument(
        "--runs",
        type=Path,
        default=default_runs_folder(),
        help="where run folders are (default: $RESNET_LAB_RUNS or ./runs)",
    )
    onnx.add_argument(
        "--precision", choices=FILE_PRECISIONS, default=EXACT,
        help="fp32 as trained, fp16, or int8 calibrated on training images (default: fp32)",
    )  # fmt: skip
    onnx.add_argument("--data-folder", type=Path, help=f"for int8: {DATA_FOLDER_HELP}")
    onnx.set_defaults(execute=_onnx)

    report = commands.add_parser(
        "report", help="size, test error and agreement of every precision of a model"
    )
    report.add_argument("model", help="shipped model, run or ONNX file")
    report.add_argument("--data-folder", type=Path, help=DATA_FOLDER_HELP)
    report.add_argument("--json", action="store_true", help="print a JSON list")
    report.set_defaults(execute=_report)

    verify = commands.add_parser("verify", help="compare an ONNX file with PyTorch")
    verify.add_argument(
        "file", type=Path, help="ONNX file; its weights lie beside it, or --weights"
    )
    verify.add_argument("--weights", type=Path, help="the .safetensors file it was exported from")
    verify.add_argument("--data-folder", type=Path, help=DATA_FOLDER_HELP)
    verify.add_argument("--json", action="store_true", help="print one JSON object")
    verify.set_defaults(execute=_verify)

    add_fetch(commands)

    ship = commands.add_parser("ship", help="put a finished run's model into the zoo")
    ship.add_argument("run", type=Path, help="run folder")
    ship.add_argument("--name", help="folder in the zoo (default: the model's name)")
    ship.add_argument("--data-folder", type=Path, help=DATA_FOLDER_HELP)
    ship.set_defaults(execute=_ship)

    classify = commands.add_parser("classify", help="say what is in pictures")
    classify.add_argument(
        "pictures", type=Path, nargs="+", metavar="PICTURE", help="files; with --csv also folders"
    )
    classify.add_argument(
        "--model", "--name", dest="model", default="resnet20_v1",
        help="shipped model, run or ONNX file (default: resnet20_v1)",
    )  # fmt: skip
    classify.add_argument("--top-k", type=int, default=5, help="classes to show (default: 5)")
    classify.add_argument("--engine", default="", help=ENGINE_HELP)
    add_averaging(classify)
    classify.add_argument("--json", action="store_true", help="print JSON; with --csv, lines of it")
    add_folder_options(classify)
    classify.set_defaults(execute=_classify)
    add_inside(commands)
    add_confidence(commands)

    engines = commands.add_parser(
        "engines", help="what can run a model here, and what can't, and why"
    )
    engines.add_argument("--json", action="store_true", help="print a JSON list")
    engines.set_defaults(execute=_engines)
    add_tuning(commands)

    add_triton_commands(commands)


def _onnx(options: argparse.Namespace) -> int:
    from export.make import make_onnx
    from resnet_core.training.config import default_data_folder
    from resnet_core.training.find import find_model

    found = find_model(options.model, options.runs)
    data_folder = options.data_folder or default_data_folder()
    made = make_onnx(found, options.precision, options.out, data_folder)
    print(f"{made.file}: {made.file.stat().st_size / 1e6:.2f} MB, {made.proof}")
    return 0


def _report(options: argparse.Namespace) -> int:
    from export.catalogue import find_exported
    from export.report import as_table, report
    from export.session import OnnxSession
    from resnet_core.data.dataset import load_dataset
    from resnet_core.training.config import default_data_folder

    file = find_exported(options.model).file
    data = OnnxSession(file, "cpu").facts.data
    test = load_dataset(data, options.data_folder or default_data_folder()).test
    rows = list(report(file, test.images.numpy(), test.labels.numpy()))
    print(json.dumps([row.to_dict() for row in rows], indent=2) if options.json else as_table(rows))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from export.session import OnnxSession
    from export.verify import verify_onnx
    from resnet_core.data.catalogue import list_datasets
    from resnet_core.data.dataset import load_dataset
    from resnet_core.models.saved import load_model
    from resnet_core.training.config import default_data_folder
    from resnet_core.training.find import find_weights_beside

    saved = load_model(options.weights or find_weights_beside(options.file))
    data = OnnxSession(options.file, "cpu").facts.data
    folder = options.data_folder or default_data_folder()
    # Of many imported nets nobody here has the test images: random pixels must do.
    test = load_dataset(data, folder).test if data in list_datasets(folder) else None
    parity = verify_onnx(options.file, saved.model, test)
    if options.json:
        print(json.dumps(vars(parity) | {"passed": parity.passed}))
    else:
        print(
            f"largest logit difference  {parity.max_logit_difference:.2e} "
            f"(at most {parity.allowed:.0e})"
        )
        if test is None:
            print(f"test images               none here of {data}")
        else:
            print(f"same top class            {parity.agreement_percent:.2f} % of {len(test):,}")
            print(f"test error of the file    {parity.test_error_percent:.2f} %")
        print("passed" if parity.passed else "FAILED")
    return 0 if parity.passed else 1


def _ship(options: argparse.Namespace) -> int:
    from export.ship import ship
    from resnet_core.runs.folder import RunFolder
    from resnet_core.training.config import default_data_folder

    entry = ship(RunFolder(options.run), options.name, options.data_folder or default_data_folder())
    print(f"{entry.folder}: test error {entry.card['test_error_percent']:.2f} %")
    return 0


def _classify(options: argparse.Namespace) -> int:
    if options.csv:
        return classify_to_table(options)
    from export.averaged import classify_averaged

    if options.top_k < 1:
        raise LabError(f"--top-k should be at least 1, not {options.top_k}.")
    answers, failed = [], False
    for path in options.pictures:
        try:
            models = [options.model, *options.others]
            asked = classify_averaged(path, models, options.views, options.engine)
            answer = asked.to_dict(options.top_k)
        except LabError as error:
            if len(options.pictures) == 1:
                raise
            answer, failed = {"error": str(error)}, True
        answers.append({"picture": str(path), **answer})
    if options.json:
        print(json.dumps(answers, indent=2))
    else:
        print("\n\n".join(_as_text(answer) for answer in answers))
    return 2 if failed else 0


def _as_text(answer: dict) -> str:
    if "error" in answer:
        return f"{answer['picture']}: {answer['error']}"
    lines = [f"{answer['picture']}: {answer['verdict']}"]
    lines += [f"  {c['name']:12} {100 * c['probability']:6.2f} %" for c in answer["classes"]]
    lines += [f"  {note}" for note in answer["notes"]]
    total = answer["decode_ms"] + answer["preprocess_ms"] + answer["inference_ms"]
    lines.append(f"  {answer['model']} on {answer['engine']}, {total:.1f} ms")
    return "\n".join(lines)


def _engines(options: argparse.Namespace) -> int:
    from export.engines.catalogue import list_choices

    choices = list(list_choices())
    if options.json:
        rows = [
            {"engine": c.engine.key, "precision": c.precision, "usable": c.obstacle is None,
             "needs": c.engine.needs, "obstacle": vars(c.obstacle) if c.obstacle else None}
            for c in choices
        ]  # fmt: skip
        print(json.dumps(rows, indent=2))
        return 0
    width = max(len(choice.key) for choice in choices)
    for choice in choices:
        print(f"{choice.key:{width}}  {_usability(choice.obstacle)}")
    return 0


def _usability(obstacle: Obstacle | None) -> str:
    if obstacle is None:
        return "usable"
    return f"missing: {obstacle.reason}" + (f" ({obstacle.install})" if obstacle.install else "")
