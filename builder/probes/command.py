"""Shortcut probes: can the state answers be read off anything but the mistake?

    lego-arta probe lego-arta                 # all groups; builds look at a sample
    lego-arta probe lego-arta --paper-names   # as if named like the paper's release
    lego-arta probe lego-arta --thorough --groups 120   # the network trained for longer

Classifiers that see only names, files, texts, noise, seams or 64 x 64 patches are trained on some
manuals and asked about others. Exit status 1 when one can tell (AUC clearly above 0.60).
"""

import argparse
import json
import os

from builder import probes
from core.build import Row
from core.cli import EXIT_FAILED, Parser, no_build, positive, run
from core.errors import UserError
from core.storage import option_place


def parser() -> Parser:
    """The command line, the whole of it."""
    result = Parser("probe", __doc__)
    add = result.add_argument
    add("build", type=option_place, metavar="BUILD", help="a build folder")
    add("--config", choices=probes.CONFIGS, default="state", help="(%(default)s)")
    add("--groups", type=positive, metavar="N", help="look at N groups (all)")
    add(
        "--only",
        nargs="+",
        choices=probes.PROBES,
        metavar="PROBE",
        help=f"of {', '.join(probes.PROBES)} (all but traces, which --thorough adds)",
    )
    add("--paper-names", action="store_true", help="give pictures telling names: must be caught")
    add("--thorough", action="store_true", help="more patches, longer training: some minutes")
    add("--workers", type=positive, default=os.cpu_count() or 1, help="(%(default)s)")
    add("--json", action="store_true", help="print JSON instead of lines")
    add("--debug", action="store_true", help="show the traceback of an error")
    return result


def paper_name(row: Row) -> str:
    """The name a picture has in the released dataset: a negative's says so."""
    number = row["step_num"] if row["step_num"] is not None else 0
    stem = f"{row['session_id'].split('/')[-1]}-{number}_step"
    return f"{stem}.png" if row["label"] else f"{stem}_fake1.png"


def probe(options: argparse.Namespace) -> bool:
    """Run the probes and print what they found; whether one leaks. Raises `UserError`."""
    from builder.engine.local import Workers, start_server
    from builder.probes import patches
    from core.build import manifest_of

    start_server()
    if manifest_of(options.build) is None:
        raise no_build(options.build)
    results = probes.run(
        options.build,
        options.groups,
        paper_name if options.paper_names else None,
        Workers(options.workers).map,
        options.only or list(probes.PROBES if options.thorough else probes.GATE_PROBES),
        patches.THOROUGH if options.thorough else patches.QUICK,
        options.config,
    )
    if not results:
        raise UserError(
            f"{options.build}: fewer than {probes.GROUPS_MIN} {options.config} groups of "
            f"{probes.MANUALS_MIN} manuals, which tell nothing; build more manuals"
        )
    described = [result.describe() for result in results]
    if options.json:
        print(json.dumps(described, indent=2))
    else:
        for result in described:
            # What to paste ends a line, so that nothing else is pasted with it.
            told, cure, paste = probes.line(result).partition("; ")
            print(f"{told:<52} {probes.PROBES[result['probe']]}{cure}{paste}")
        print(f"{results[0].rows} rows")
    return bool(probes.leaks(results))


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status: 1 also when a probe leaks."""
    options = parser().parse_args(argv)
    leaking: list[bool] = []
    status = run(lambda: leaking.append(probe(options)), options.debug)
    return EXIT_FAILED if any(leaking) else status
