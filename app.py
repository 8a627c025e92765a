"""ResNet Lab's front door: `python app.py`, then look at the browser."""

from __future__ import annotations

import argparse
import os
import sys


def main() -> int:
    parser = argparse.ArgumentParser(prog="python app.py", description="Start ResNet Lab.")
    parser.add_argument("--host", default="127.0.0.1", help="address (default: %(default)s)")
    parser.add_argument("--password-file", help="file with the password that another --host needs")
    parser.add_argument("--port", type=int, help="port (default: the first free one from 7860)")
    parser.add_argument("--data", help="folder of data sets (default: $RESNET_LAB_DATA or ./data)")
    parser.add_argument("--runs", help="folder of runs (default: $RESNET_LAB_RUNS or ./runs)")
    parser.add_argument("--engine", help="what runs every model (default: the fastest here)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser window")
    options = parser.parse_args()
    for name in ("data", "runs", "engine", "host"):
        if said := getattr(options, name):
            os.environ[f"RESNET_LAB_{name.upper()}"] = said

    from resnet_core.errors import LabError
    from ui.layout import build_app, serve  # after the options: `--help` need not wait for Gradio

    opens = not options.no_browser
    try:
        serve(build_app(), options.host, options.port, opens, options.password_file)
    except (OSError, LabError) as error:
        hint = " Choose another with --port." if isinstance(error, OSError) else ""
        print(f"Error: {error}{hint}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
