# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.deployment [BUNDLE]``: what is in deploy/, really built and really run. Root, and Debian's podman.

Makes the bundle where there is none. The last line is what was found, as JSON.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from tests.deployment import image, units, versions
from tests.deployment.debian import ROOT, Missing, made_root, run

TRIALS = {"image": image.trial, "units": units.trial, "versions": versions.trial}


def main(*chosen: str) -> int:
    bundle = ROOT / "dist/bundle"
    found: dict[str, object] = {}
    try:
        made_root()
        if not bundle.exists():
            run(sys.executable, ROOT / "scripts/offline_bundle.py", "make", bundle)
        for name in chosen or TRIALS:
            print(f"{name}:", flush=True)
            folder = Path(tempfile.mkdtemp(prefix="portineria-trial-"))
            try:
                found[name] = TRIALS[name](folder, bundle)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    except Missing as why:
        print(f"NOT TRIED: {why}")
        return 1
    print(json.dumps(found))
    return int(any(one["faults"] for one in found.values()))  # type: ignore[index]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
