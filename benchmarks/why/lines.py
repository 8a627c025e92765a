"""Results as lines to read in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def describe_header(header: dict[str, Any]) -> str:
    """What is measured on what, in two lines."""
    names = ", ".join(model["name"] for model in header["models"])
    return (
        f"{header['question'].capitalize()}\n"
        f"{names}; {header['images']:,} {header['split']} images of {header['data']}. "
        f"{header['reason']}"
    )


def describe_row(row: dict[str, Any], seen: Sequence[dict[str, Any]]) -> str:
    """One result with its units; `seen` are the rows so far, this one among them."""
    match row["event"]:
        case "gradient_flow":
            return _gradient_line(row)
        case "responses":
            stds = row["stds"]
            return (
                f"{row['model']:<16} {len(stds):>4} layers  standard deviation of the response: "
                f"mean {sum(stds) / len(stds):.3f}, {min(stds):.3f} to {max(stds):.3f}"
            )
        case "surgery":
            return _surgery_line(row, seen)
        case "point":
            return (
                f"{row['model']:<16} at ({row['x']:+.3f}, {row['y']:+.3f})  loss {row['loss']:9.4f}  "
                f"error {row['error_percent']:5.1f} %"
            )
        case "subset":
            return f"{len(row['members'])}: error {row['error_percent']:5.2f} %  {_together(row)}"
        case "pick":
            return (
                f"best {len(row['members'])} by validation error "
                f"({row['validation_error_percent']:.2f} %): error {row['error_percent']:5.2f} %  "
                f"{_together(row)}"
            )
    return str(row)


def _gradient_line(row: dict[str, Any]) -> str:
    norms = [norm for norm in row["norms"] if norm is not None]
    how = "with batch norm   " if row["batch_norm"] else "without batch norm"
    if len(norms) < len(row["norms"]):
        return f"{row['model']:<16} {how}  seed {row['seed']}  gradients leave the range of float32"
    return (
        f"{row['model']:<16} {how}  seed {row['seed']}  first layer {norms[0]:.3g}, "
        f"last {norms[-1]:.3g}, smallest {min(norms):.3g}, largest {max(norms):.3g}"
    )


def _surgery_line(row: dict[str, Any], seen: Sequence[dict[str, Any]]) -> str:
    whole = [r for r in seen if r["model"] == row["model"] and not r["off"] and not r["swapped"]]
    change = row["error_percent"] - whole[0]["error_percent"] if whole else None
    shown = f" ({change:+.1f})" if change is not None and row is not whole[0] else ""
    return f"{row['model']:<16} {describe_operation(row):<28} error {row['error_percent']:5.1f} %{shown}"


def describe_operation(row: dict[str, Any]) -> str:
    """Blocks 3 and 4 off, 2 and 5 swapped."""
    said = []
    if row["off"]:
        many = "s" if len(row["off"]) > 1 else ""
        said.append(f"block{many} {', '.join(map(str, row['off']))} off")
    said += [f"{first} and {second} swapped" for first, second in row["swapped"]]
    return ", ".join(said) or "as trained"


def _together(row: dict[str, Any]) -> str:
    return " + ".join(row["members"])
