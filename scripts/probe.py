"""Shortcut probes: can the state answers be read off anything but the mistake?

    python scripts/probe.py lego-arta                 # all groups; builds look at a sample
    python scripts/probe.py lego-arta --paper-names   # as if named like the paper's release
    python scripts/probe.py lego-arta --thorough --groups 120   # the network trained for longer

Classifiers that see only names, files, texts, noise, seams or 64 x 64 patches are trained on some
manuals and asked about others. Exit status 1 when one can tell (AUC clearly above 0.60).
"""

import argparse
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from builder import probes
from builder.manifest import manifest_of
from builder.parallel import run_parallel, start_server
from builder.probes import patches
from builder.records import UserError


def paper_name(row: dict) -> str:
    """The name a picture has in the released dataset: a negative's says so."""
    number = row["step_num"] if row["step_num"] is not None else 0
    stem = f"{row['session_id'].split('/')[-1]}-{number}_step"
    return f"{stem}.png" if row["label"] else f"{stem}_fake1.png"


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        epilog=__doc__.split("\n\n", 1)[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("build", type=Path, help="folder of a build")
    parser.add_argument("--groups", type=int, metavar="N", help="look at N groups (all)")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=probes.PROBES,
        metavar="PROBE",
        help=f"of {', '.join(probes.PROBES)} (all but traces, which --thorough adds)",
    )
    parser.add_argument(
        "--paper-names", action="store_true", help="give pictures telling names: must be caught"
    )
    parser.add_argument(
        "--thorough", action="store_true", help="more patches, longer training: some minutes"
    )
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="(%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    options = parser.parse_args(argv)
    start_server()
    try:
        if manifest_of(options.build) is None:
            raise UserError(f"{options.build}: not a build; make one with builder/make.py")
        results = probes.run(
            options.build,
            options.groups,
            paper_name if options.paper_names else None,
            lambda function, calls: run_parallel("rows", function, calls, options.workers),
            options.only or list(probes.PROBES if options.thorough else probes.GATE_PROBES),
            patches.THOROUGH if options.thorough else patches.QUICK,
        )
        if not results:
            raise UserError(
                f"{options.build}: fewer than {probes.GROUPS_MIN} state groups of "
                f"{probes.MANUALS_MIN} manuals, which tell nothing; build more manuals"
            )
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    described = [result.describe() for result in results]
    if options.json:
        print(json.dumps(described, indent=2))
    else:
        for result in described:
            print(f"{probes.line(result):<52} {probes.PROBES[result['probe']]}")
        print(f"{results[0].rows} rows")
    return 1 if probes.leaks(results) else 0


if __name__ == "__main__":
    sys.exit(main())
