# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.deployment [TRIAL …]``: what is in deploy/ built and run, and older versions beside this one.

Root, and what `scripts/debian-packages deployment` installs. Makes the bundle where there is none. The last line is
what was found, as JSON; what could not be tried counts as a fault.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.deployment import image, units, versions
from tests.deployment.debian import ROOT, Missing, made_root, run

TRIALS = {"image": image.trial, "units": units.trial, "versions": versions.trial, "upgrade": versions.upgrade}
BUNDLE = ROOT / "dist/bundle"


def tried(name: str) -> dict[str, object]:
    folder = Path(tempfile.mkdtemp(prefix="portineria-trial-"))
    try:
        made_root()
        if not BUNDLE.exists():
            run(sys.executable, ROOT / "scripts/offline_bundle.py", "make", BUNDLE)
        return TRIALS[name](folder, BUNDLE)
    except Missing as why:
        return {"faults": [f"not tried: {why}"]}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(*chosen: str) -> int:
    found = dict[str, dict[str, object]]()
    for name in chosen or TRIALS:
        print(f"{name}:", flush=True)
        found[name] = tried(name)
    print(json.dumps(found))
    return int(any(one["faults"] for one in found.values()))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
