# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from portineria.demo.main_job import sign_in
from portineria.demo.namespace import Kind, available
from tests.integration.cluster.cluster import Cluster
from tests.integration.cluster.visit import Visit
from tests.integration.postgresql_server import binaries


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """The cluster, with a technician who may reach the plant's machine."""
    if os.geteuid() != 0 or available().kind is not Kind.ROOT:
        pytest.skip(f"a network for each node needs root: {available().reason}")
    if shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("HAProxy is missing: sudo apt-get install --no-install-recommends haproxy")
    binaries()
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.open()
        made = Visit(cluster)
        sign_in(cluster, "Technician", made.env, "--ca", str(cluster.state / "console.pem"))
        made.may_reach("Torino press 3")
        yield made
    finally:
        cluster.close()
