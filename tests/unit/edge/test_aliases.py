# SPDX-License-Identifier: GPL-3.0-or-later
"""Every other name that an option has, of every module and at every depth, is accepted and means the same. The names are those of our own tables."""
from __future__ import annotations

import importlib
import pathlib
import typing as t

import pytest

arg_spec = pytest.importorskip("ansible.module_utils.common.arg_spec")

from ansible_collections.cocker.engine.plugins.module_utils.edge import args_container, args_containers, spec  # noqa: E402
from ansible_collections.cocker.engine.tests import taskcorpus  # noqa: E402

Path = t.Tuple[str, ...]

# A value that parses and one that goes with it, of each option of a container that has another name.
VALUES: t.Dict[str, t.Tuple[t.Any, t.Dict[str, t.Any]]] = {
    "restart": (True, {}), "force_kill": (True, {}), "auto_remove": (True, {}), "labels": ({"a": "b"}, {}), "env_file": (["DIR/app.env"], {}),
    "groups": (["5"], {}), "working_dir": ("/www", {}), "hostname": ("other", {}), "network_mode": ("host", {}), "network_aliases": (["a"], {}),
    "ipv4_address": ("10.166.88.9", {}), "ipv6_address": ("fd00::9", {}), "published_ports": (["8080:80"], {}), "publish_all_ports": (True, {}),
    "exposed_ports": (["80"], {}), "etc_hosts": ({"a": "10.0.0.1"}, {}), "dns_servers": (["9.9.9.9"], {}), "dns_opts": (["ndots:2"], {}),
    "dns_search_domains": (["a.example"], {}), "volumes": (["/a:/b"], {}), "mounts": ([{"type": "tmpfs", "target": "/b"}], {}),
    "oom_killer": (True, {}), "ulimits": (["core:0"], {}), "capabilities": (["KILL"], {}), "security_opts": (["no-new-privileges"], {}),
    "devices": (["/dev/fuse"], {}), "device_cgroup_rules": (["c 42:* r"], {}), "ipc_mode": ("host", {}), "pid_mode": ("host", {}),
    "uts": ("host", {}), "cgroupns_mode": ("host", {}), "userns_mode": ("auto", {}), "sysctls": ({"net.core.somaxconn": 1}, {}),
    "log_options": ({"max-size": "1m"}, {}), "healthcheck": (["true"], {}),
    "healthcheck_interval": ("9s", {"healthcheck": ["true"]}), "healthcheck_timeout": ("9s", {"healthcheck": ["true"]}),
    "healthcheck_start_period": ("9s", {"healthcheck": ["true"]}), "healthcheck_retries": (9, {"healthcheck": ["true"]}),
}
CONTAINERS = [(option, alias) for option, row in args_container.SPEC.options.items() for alias in row.get("aliases", ())
              if option not in args_container.PORTED]


@pytest.mark.parametrize("option,alias", CONTAINERS)
def test_another_name_of_an_option_of_a_container_means_the_same(tmp_path: pathlib.Path, option: str, alias: str) -> None:
    taskcorpus.make_files(tmp_path)
    value, more = VALUES[option]
    one, two = (taskcorpus.wish(taskcorpus.placed({"name": "web", "image": "box", **more, name: value}, tmp_path)) for name in (option, alias))
    assert one == two != taskcorpus.wish({"name": "web", "image": "box", **more})


@pytest.mark.parametrize("alias", sorted(alias for row in args_container.PORTED.values() for alias in row.get("aliases", ())))
def test_another_name_of_what_is_passed_over_is_passed_over(alias: str) -> None:
    assert len(taskcorpus.wish({"name": "web", "image": "box", alias: "x"}).warnings) == 1


def specifications() -> t.Iterator[t.Tuple[str, spec.Spec]]:
    folder = pathlib.Path(args_container.__file__).parent
    for path in sorted(folder.glob("args_*.py")):
        module = importlib.import_module("%s.%s" % (args_container.__name__.rpartition(".")[0], path.stem))
        for name, value in sorted(vars(module).items()):
            if isinstance(value, spec.Spec) and value is not args_containers.SPEC:
                yield "%s.%s" % (path.stem, name), value


def aliases(options: spec.Options, above: Path = ()) -> t.Iterator[t.Tuple[Path, str]]:
    for option, row in options.items():
        yield from (((*above, option), alias) for alias in row.get("aliases", ()))
        yield from aliases(row.get("options", {}), (*above, option))


def some(row: t.Mapping[str, t.Any], inner: t.Callable[[], t.Any]) -> t.Any:
    """A value of the option's type."""
    plain = {"bool": True, "int": 1, "float": 1.0, "dict": {"a": "b"}, "path": "/a"}
    value = inner() if "options" in row else row["choices"][0] if "choices" in row else plain.get(row.get("elements", row["type"]), "a")
    return [value] if row["type"] == "list" else value


def filled(options: spec.Options, path: Path, name: str) -> t.Dict[str, t.Any]:
    """What is required, and the option at `path` under `name`."""
    found = {option: some(row, lambda row=row: filled(row["options"], (), "")) for option, row in options.items() if row.get("required")}
    if path:
        row = options[path[0]]
        found.pop(path[0], None)
        found[name if len(path) == 1 else path[0]] = some(row, lambda: filled(row["options"], path[1:], name))
    return found


ALL = [(name, found, path, alias) for name, found in specifications() for path, alias in aliases(found.options)]


@pytest.mark.parametrize("_name,found,path,alias", ALL, ids=["%s: %s" % (row[0], row[3]) for row in ALL])
def test_another_name_of_an_option_of_any_module_is_accepted(_name: str, found: spec.Spec, path: Path, alias: str) -> None:
    def read(name: str) -> t.Any:
        checked = arg_spec.ArgumentSpecValidator(found.options).validate(filled(found.options, path, name))
        assert checked.error_messages == []
        value = checked.validated_parameters
        for step in path:
            value = (value[0] if isinstance(value, list) else value)[step]
        return value
    found_by_name = read(path[-1])
    assert found_by_name is not None and read(alias) == found_by_name
