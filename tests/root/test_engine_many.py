# SPDX-License-Identifier: GPL-3.0-or-later
"""Many containers started in one go: as one by one, and what is wrong with one is only that one's trouble."""
from __future__ import annotations

import pathlib
import typing as t

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.engine import lifecycle, observe
from ansible_collections.cocker.engine.plugins.module_utils.engine.host import Host
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root
GOOD = ["many%d" % number for number in range(6)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[enginelab.Engine]:
    with enginelab.host(str(tmp_path_factory.mktemp("many"))) as engine:
        yield engine


@pytest.fixture()
def engine(lab: enginelab.Engine) -> t.Iterator[enginelab.Engine]:
    with enginelab.clean(lab) as found:
        yield found


def start_many(host: Host, names: t.Sequence[str]) -> t.Dict[str, str]:
    records = [observe.container(host, name).record for name in names]
    return {name: str(error) for name, error in lifecycle.start_many(host, [record for record in records if record]).items()}


def create(engine: enginelab.Engine, name: str, **said: t.Any) -> None:
    engine.ensure(name, **{"images": (enginelab.IMAGE,), "command": enginelab.SERVER, "state": "present", **said})


def test_each_runs_with_its_own_address_and_port(engine: enginelab.Engine) -> None:
    for number, name in enumerate(GOOD):
        create(engine, name, published_ports=["%d:8080" % (18300 + number)])
    assert engine.run(start_many, GOOD) == {}
    addresses = {engine.read(name, "hostname -i | cut -d' ' -f1") for name in GOOD}
    assert len(addresses) == len(GOOD)
    assert engine.read("many0", "wget -q -O - http://many5:8080/") == "hello"
    assert [engine.start(name, command=enginelab.SERVER, published_ports=["%d:8080" % (18300 + number)]).changed
            for number, name in enumerate(GOOD)] == [False] * len(GOOD)


def test_what_fails_is_undone_and_hinders_nobody(engine: enginelab.Engine) -> None:
    create(engine, "good", published_ports=["18310:8080"])
    create(engine, "bad", command=("/no/such",), published_ports=["18311:8080"])
    create(engine, "taken", published_ports=["18310:8080"])
    create(engine, "none", network_mode="none")
    engine.ensure("good2", images=(enginelab.IMAGE,), command=enginelab.SLEEP)
    failed = engine.run(start_many, ["good", "bad", "taken", "none", "good2"])
    assert sorted(failed) == ["bad", "good2", "taken"]
    assert "/no/such" in failed["bad"] and "container good publishes" in failed["taken"] and "runs already" in failed["good2"]
    assert [engine.state(name)["Running"] for name in ("good", "none", "good2", "bad", "taken")] == [True, True, True, False, False]


def test_a_failure_of_all_leaves_nothing(engine: enginelab.Engine) -> None:
    for name in GOOD[:3]:
        create(engine, name)

    def run(host: Host) -> None:
        enginelab.failing("engine.networks.refresh")()
        start_many(host, GOOD[:3])

    with pytest.raises(OSError, match="made to fail"):
        engine.run(run)
    assert not any(engine.state(name)["Running"] for name in GOOD[:3])
    assert not pathlib.Path(engine.layout.container_run(GOOD[0])).exists()
