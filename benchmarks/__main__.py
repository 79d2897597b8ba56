"""Upesi and its peers, asked the same questions about the same catalogue, in turn, in one run.

    python -m benchmarks                                   # all parts, some 20 minutes
    python -m benchmarks search walk --items 20000         # parts by name, a smaller catalogue
    python -m benchmarks --no-peer --seconds 1 --rounds 1

The peers are installed from PyPI into an environment of their own. Before anything is timed, the answers are compared.
Results go to benchmarks/results (JSON and SVG) and into the tables of benchmarks/README.md.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

from benchmarks import catalogue, parts, peers, report, wrk

_HERE = Path(__file__).parent


def main(given: list[str]) -> None:
    arguments = _arguments(given)
    wrk.check()
    # pip has compiled the peers; what is imported of this folder is compiled by its first import, if it may be.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    programs = peers.installed(arguments.peers) if arguments.peer else None
    effort = parts.Effort(arguments.seconds, arguments.rounds, arguments.pages)
    with parts.stage(_catalogue(arguments), programs, effort) as stage:
        versions = parts.versions(stage)
        # Collections and writes change the catalogue, so they come last whatever the order they were named in.
        for name in [name for name in parts.PARTS if name in (arguments.parts or parts.PARTS)]:
            report.say(f"{name} …")
            written = stage.written
            circumstances = report.Circumstances.now(versions, _command(arguments), written.count, written.bytes)
            part = parts.PARTS[name](stage)
            report.write(arguments.into, part, circumstances)
            print(f"\n{part.title}\n\n{report.table(part.rows)}", flush=True)


def _arguments(given: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts.PARTS)}; all without one")
    parser.add_argument("--items", type=int, default=100_000, help="in the catalogue (%(default)s)")
    parser.add_argument("--seconds", type=int, default=3, help="of each measurement (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each comparison (%(default)s)")
    parser.add_argument("--pages", type=int, default=50, help="of the walk (%(default)s)")
    parser.add_argument("--peer", action=argparse.BooleanOptionalAction, default=True, help="measure the peers too")
    parser.add_argument("--peers", type=Path, default=_HERE.parent / ".peers", help="folder of their environment")
    parser.add_argument("--templates", type=Path, default=_real(), help="folder of real items to make the catalogue of")
    parser.add_argument("--made-up", dest="templates", action="store_const", const=None, help="of made-up items only")
    parser.add_argument("--slim", action="store_true", help="small items: two properties and one asset each")
    parser.add_argument("--into", type=Path, default=_HERE, help="folder of the README and the results")
    found = parser.parse_args(given)
    if unknown := set(found.parts) - set(parts.PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return found


def _catalogue(arguments: argparse.Namespace) -> catalogue.Catalogue:
    made = (
        catalogue.of_templates(arguments.templates, arguments.items)
        if arguments.templates
        else catalogue.made_up(arguments.items)
    )
    return catalogue.slim(made) if arguments.slim else made


def _command(arguments: argparse.Namespace) -> str:
    """What gives the same figures elsewhere: the folders are everyone's own."""
    sizes = [f"--{name} {getattr(arguments, name)}" for name in ("items", "seconds", "rounds", "pages")]
    told = (
        ["--slim"] * arguments.slim
        + ["--made-up"] * (arguments.templates is None)
        + ["--no-peer"] * (not arguments.peer)
    )
    return " ".join(["python -m benchmarks", *arguments.parts, *sizes, *told])


def _real() -> Path | None:
    """Real metadata, where it lies beside the project."""
    folder = _HERE.parents[1] / "shared" / "data"
    return folder if folder.exists() else None


if __name__ == "__main__":
    # Asked to stop, it unwinds as by Ctrl-C, and with it goes all that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main(sys.argv[1:])
