# SPDX-License-Identifier: GPL-3.0-or-later
"""The `cocker` command, packed as the role `host` packs it, on a real store: what people type, what they read, the exit codes."""
from __future__ import annotations

import json
import os
import select
import signal
import subprocess

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.tests.root import enginelab

pytestmark = pytest.mark.root


def test_a_container_from_the_command_line_to_its_end(cocker):
    code, out, err = cocker("run", "-d", "--name", "web", "--network", "none", "-e", "A=b", "-m", "32M", "--stop-timeout", "0", "box", "sleep", "1000")
    assert (code, err, len(out.strip())) == (0, "", 64)
    code, out, err = cocker("ps")
    assert (code, err) == (0, "") and out.splitlines()[1].split()[1:4] == ["box:1", '"sleep', '1000"'] and out.rstrip().endswith("web")
    assert cocker("exec", "web", "sh", "-c", "echo $A; echo no >&2; exit 3") == (3, "b\n", "no\n")
    assert cocker("exec", "-i", "web", "cat", stdin="in") == (0, "in", "")
    assert cocker("rm", "web")[0] == 1
    assert cocker("stop", "web") == (0, "web\n", "")
    assert cocker("ps", "-q") == (0, "", "")
    assert cocker("ps", "-aq") == (0, "web\n", "")
    assert cocker("start", "web") == (0, "web\n", "")
    assert cocker("rm", "-f", "web", "nix") == (0, "web\nnix\n", "")
    assert cocker("ps", "-aq") == (0, "", "")


def test_one_failure_does_not_hide_the_others(cocker):
    cocker.engine.start("web", network_mode="none", stop_timeout=0)
    code, out, err = cocker("stop", "nix", "web")
    assert (code, out) == (1, "web\n") and "nix" in err


def test_a_playbook_sees_what_the_command_did(cocker):
    said = {"network_mode": "none", "stop_timeout": 0}
    cocker.engine.start("web", **said)
    cocker("stop", "web")
    assert [action["action"] for action in cocker.engine.start("web", **said).actions] == ["start"]
    assert cocker("stop", "web")[0] == 0
    assert not cocker.engine.ensure("web", state="stopped", images=(enginelab.IMAGE,), command=enginelab.SLEEP, **said).changed


def test_listings_in_json_are_one_object_a_line(cocker):
    code, out, _err = cocker("images", "--format", "json")
    assert code == 0 and [json.loads(line)["Cocker"]["Name"] for line in out.splitlines()] == [enginelab.IMAGE, "top"]
    code, out, _err = cocker("inspect", enginelab.IMAGE)
    assert json.loads(out)[0]["RepoTags"] == [enginelab.IMAGE + ":1"]


@pytest.mark.parametrize(("words", "code", "text"), [
    (["frob"], 2, "no command 'frob'"),
    (["stpo", "x"], 2, "did you mean 'stop'"),
    (["--colour", "ps"], 2, "unknown option --colour"),
    (["ps", "--filter", "colour=red"], 2, "KEY one of"),
    (["run", "--name", "a/..", "box"], 125, "name"),
    (["run", "--name", "web", "nix", "true"], 125, "nix"),
    (["exec", "nix", "true"], 125, "does not exist"),
    (["inspect", "nix"], 1, "nix"),
    (["--home", "relative", "ps"], 2, "cocker_home"),
    (["stop", "nix"], 1, "container nix: it does not exist\n"),
    (["start"], 2, "required: NAME; see cocker start --help\n"),
    (["run"], 125, "required: IMAGE"),
    (["cp", "nix:/etc/passwd", "-"], 1, "nix"),
    (["logs", "--tail", "few", "web"], 2, "'few' is neither a number of lines nor all"),
    (["cp", "-", "nix:/etc"], 1, "nix"),
    (["cp", "-", "-"], 2, "one of them is in a container"),
    (["import", "-", "x:1"], 2, "'-' would be a stream"),
    (["export", "-o", "-", "box"], 2, "'-' would be a stream"),
    (["build", "."], 2, "cocker.engine.image_build"),
    (["run", "--restart", "on-failure:many", "box"], 125, "number of retries"),
    (["rename", "web"], 2, "required: NEW_NAME"),
    (["completion", "tcsh"], 2, "tcsh"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_what_is_wrong_is_said_in_one_line(cocker, words, code, text):
    found, _out, err = cocker(*words)
    assert found == code and text in err and err.count("\n") == 1


def test_looking_makes_no_store(cocker, tmp_path):
    home = str(tmp_path / "store")
    for words in (["ps", "-a"], ["images"], ["networks"], ["volumes"], ["info"]):
        assert cocker("--home", home, *words)[0] == 0
    assert not os.path.exists(home)


def test_a_container_is_frozen_signalled_and_waited_for(cocker):
    script = "trap 'echo caught; exit 7' USR1; echo ready; while :; do sleep 0.05; done"
    cocker("run", "-d", "--name", "web", "--network", "none", "box", "sh", "-c", script)
    assert cocker("pause", "web") == (0, "web\n", "")
    assert "(Paused)" in cocker("ps")[1]
    assert cocker("unpause", "web") == (0, "web\n", "")
    assert poll.until(lambda: "ready" in cocker("logs", "web")[1], timeout=30)
    assert cocker("kill", "-s", "USR1", "web") == (0, "web\n", "")
    assert cocker("wait", "web") == (0, "7\n", "")
    assert cocker("logs", "-f", "web") == (0, "ready\ncaught\n", "")
    assert cocker("logs", "-n", "1", "web") == (0, "caught\n", "")
    assert cocker("kill", "web")[0] == 1
    for word in ("pause", "unpause"):
        code, out, err = cocker(word, "web")
        assert (code, out) == (1, "") and "it is exited" in err


def test_this_time_only_it_gets_another_signal(cocker):
    script = "trap 'exit 7' USR1; trap '' TERM; echo ready; while :; do sleep 0.05; done"
    cocker("run", "-d", "--name", "web", "--network", "none", "--stop-timeout", "100", "box", "sh", "-c", script)
    for place, words in enumerate((("restart", "-s", "USR1"), ("stop", "--signal", "SIGUSR1", "--timeout", "50"))):
        assert poll.until(lambda place=place: cocker("logs", "web")[1].count("ready") == place + 1, timeout=30)
        assert cocker(*words, "web") == (0, "web\n", "")
    assert cocker("wait", "web") == (0, "7\n", "")
    assert cocker("stop", "-s", "NONE", "web")[0] == 2
    cocker("start", "web")
    assert cocker("rm", "-f", "-t", "0", "web") == (0, "web\n", "")


def test_this_time_only_it_has_less_time_to_stop(cocker):
    cocker("run", "-d", "--name", "web", "--network", "none", "--stop-timeout", "60", "box", "sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    assert cocker("stop", "-t", "0", "web") == (0, "web\n", "")
    assert json.loads(cocker("inspect", "web")[1])[0]["Config"]["StopTimeout"] == 60


def test_files_go_in_and_out(cocker, tmp_path):
    cocker("create", "--name", "web", "--network", "none", "box", "sleep", "1000")
    (tmp_path / "a").write_text("content\n")
    assert cocker("cp", str(tmp_path / "a"), "web:/etc/a") == (0, "", "")
    assert cocker("cp", "web:/etc/a", str(tmp_path / "b")) == (0, "", "")
    assert (tmp_path / "b").read_text() == "content\n"
    os.chown(tmp_path / "a", 7, 8)
    assert cocker("start", "web")[0] == 0
    for words, owner in (((), "0 0"), (("-a",), "7 8")):
        assert cocker("cp", *words, str(tmp_path / "a"), "web:/etc/a") == (0, "", "")
        assert cocker("exec", "web", "stat", "-c", "%u %g", "/etc/a") == (0, owner + "\n", "")
    assert cocker("cp", "x", "y")[0] == 2


def test_images_come_get_names_and_go(cocker, tmp_path):
    (tmp_path / "root" / "etc").mkdir(parents=True)
    assert cocker("import", str(tmp_path / "root"), "mine:1.0") == (0, "mine:1.0\n", "")
    assert cocker("tag", "mine:1.0", "mine:2.0") == (0, "mine:2.0\n", "")
    assert "mine    2.0" in cocker("images")[1]
    assert cocker("rmi", "mine:1.0", "mine:2.0", "mine:3.0")[:2] == (1, "mine:1.0\nmine:2.0\n")


def test_run_stays_with_the_container_and_ends_as_it_does(cocker):
    script = "echo $A; echo no >&2; exit 3"
    assert cocker("run", "--network", "none", "--name", "job", "-e", "A=b", "box", "sh", "-c", script) == (3, "b\n", "no\n")
    assert cocker("ps", "-aq") == (0, "job\n", "")
    assert cocker("run", "--rm", "--network", "none", "box", "true") == (0, "", "")
    assert cocker("ps", "-aq") == (0, "job\n", "")


@pytest.mark.parametrize(("words", "code", "text"), [
    (["box", "no-such-program"], 127, "no-such-program"), (["box", "/etc/passwd"], 126, "denied"), (["nix", "true"], 125, "nix"),
    (["--colour", "box"], 125, "colour"),
], ids=str)
def test_what_run_could_not_even_start(cocker, words, code, text):
    found, out, err = cocker("run", "--network", "none", *words)
    assert (found, out) == (code, "") and text in err
    assert cocker("ps", "-aq")[1] == ""


def test_ps_tells_of_health(cocker):
    words = ("--health-cmd", "CMD true", "--health-interval", "20ms", "box", "sleep", "100")
    assert cocker("run", "-d", "--network", "none", "--name", "well", *words)[0] == 0
    assert poll.until(lambda: cocker("ps", "-q", "-f", "health=healthy")[1] == "well\n", timeout=30)
    assert "(healthy)" in cocker("ps")[1]
    assert cocker("ps", "-q", "-f", "health=none")[1] == ""
    assert cocker("rm", "-f", "well")[0] == 0


def test_one_that_nobody_stays_with_goes_by_itself(cocker):
    code, _out, err = cocker("run", "--network", "none", "--name", "brief", "-d", "--rm", "box", "sleep", "0.2")
    assert (code, err) == (0, "")
    assert poll.until(lambda: "brief" not in cocker("ps", "-a", "-q")[1].split(), timeout=30)


def test_signals_of_run_are_the_container_s(cocker):
    script = "trap 'echo caught; exit 9' TERM; echo begun; while :; do sleep 0.05; done"
    process = cocker.start("run", "--rm", "--network", "none", "box", "sh", "-c", script, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"begun\n"
    process.terminate()
    assert process.stdout.readline() == b"caught\n" and process.wait(10) == 9
    cocker.engine.lab.end(process)


@pytest.mark.parametrize("words", [(), ("-i",)], ids=["watched", "with input"])
def test_a_killed_run_leaves_nobody_who_would_not_go(cocker, words):
    process = cocker.start("run", "--rm", *words, "--network", "none", "--name", "job", "box", "sh", "-c", "echo begun; sleep 1000",
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"begun\n"
    process.kill()
    cocker.engine.lab.end(process)
    assert cocker("inspect", "-f", "{{.State.Running}} {{.HostConfig.AutoRemove}}", "job")[1] == "true true\n"
    cocker("kill", "job")
    assert poll.until(lambda: cocker.engine.find("job") is None, timeout=30)


@pytest.mark.parametrize(("script", "held", "code"), [
    ("trap 'exit 5' TERM; echo begun; while :; do sleep 0.05; done", False, 5), ("echo begun; sleep 1000", False, 137),
    ("echo begun; sleep 1000", True, 137),
])
def test_run_and_wait_tell_how_it_ended_when_it_is_removed(cocker, script, held, code):
    """Who stands still, as behind a pager, keeps nobody from removing it."""
    process = cocker.start("run", "--network", "none", "--name", "job", "--stop-timeout", "0" if code == 137 else "30", "box", "sh", "-c", script,
                           stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"begun\n"
    waiter = cocker.start("wait", "job", stdout=subprocess.PIPE)
    assert poll.until(lambda: _waits(cocker, waiter.pid), timeout=30)
    if held:
        process.send_signal(signal.SIGSTOP)
    assert cocker("rm", "-f", "job") == (0, "job\n", "")
    process.send_signal(signal.SIGCONT)
    assert (process.wait(30), waiter.wait(30), waiter.stdout.read()) == (code, 0, b"%d\n" % code)
    for each in (process, waiter):
        cocker.engine.lab.end(each)


def _waits(cocker, pid):
    """Whether a process keeps the lock of those who wait."""
    path = cocker.engine.layout.lock("waiting", "job")
    return any(os.path.realpath(entry.path) == path for entry in os.scandir("/proc/%d/fd" % pid))


def test_run_tells_how_it_ended_whoever_stops_it(cocker):
    process = cocker.start("run", "--rm", "--network", "none", "--name", "job", "--stop-timeout", "0", "box", "sh", "-c", "echo begun; sleep 1000",
                           stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"begun\n"
    assert cocker("stop", "job") == (0, "job\n", "")
    assert process.wait(10) == 137 and cocker.engine.find("job") is None
    cocker.engine.lab.end(process)


def test_what_goes_at_its_end_is_not_started_again(cocker):
    code, _out, err = cocker("run", "--rm", "--restart", "always", "--network", "none", "box", "true")
    assert code == 125 and "auto_remove" in err


def test_one_that_is_started_again_is_stayed_with(cocker):
    assert cocker("run", "--network", "none", "--name", "job", "box", "sh", "-c", "echo once; exit 3") == (3, "once\n", "")
    assert cocker("start", "-a", "job") == (3, "once\n", "")
    assert cocker("create", "-i", "--rm", "--network", "none", "--name", "cat", "box", "sh", "-c", "cat; exit 4")[0] == 0
    assert cocker("start", "-ai", "cat", stdin="in") == (4, "in", "") and cocker.engine.find("cat") is None
    assert cocker("start", "-a", "job", "nix")[0] == 2 and cocker("start", "-a", "nix")[0] == 1
    assert cocker("ps", "-q", "-f", "exited=3", "-f", "ancestor=box")[1] == "job\n" and cocker("ps", "-q", "-f", "exited=0")[1] == ""


def test_words_of_docker_s_command_line(cocker, tmp_path):
    (tmp_path / "env").write_text("A=file\nB=file\n")
    words = ("--network", "none", "--cidfile", str(tmp_path / "id"))
    assert cocker("run", "--rm", *words, "-h", "me.example", "-c", "512", "box", "hostname") == (0, "me.example\n", "")
    assert len((tmp_path / "id").read_text()) == 64
    code, _out, err = cocker("run", *words, "box", "true")
    assert code == 125 and "--cidfile" in err and cocker("ps", "-aq")[1] == ""
    (tmp_path / "id").unlink()
    assert cocker("run", *words, "nix", "true")[0] == 125 and not (tmp_path / "id").exists()
    assert cocker("run", "-d", *words, "--name", "web", "--stop-timeout", "0", "box", "sleep", "1000")[1] == (tmp_path / "id").read_text() + "\n"
    assert cocker("exec", "--env-file", str(tmp_path / "env"), "-e", "B=here", "web", "sh", "-c", "echo $A $B") == (0, "file here\n", "")
    assert "usage: cocker create" in cocker("create", "--help")[1] and cocker("exec", "web", "df", "-h")[0] == 0


def test_anonymous_volumes_go_when_that_is_said(cocker):
    for words, left in ((("rm",), 1), (("rm", "-v"), 0), (("rm", "-fv"), 0)):
        assert cocker("create", "--network", "none", "--name", "web", "-v", "/data", "box", "true")[0] == 0
        assert cocker(*words, "web") == (0, "web\n", "")
        assert len(cocker("volumes", "-q")[1].split()) == left
        cocker("prune", "-f", "--volumes")
    assert cocker("run", "--rm", "--network", "none", "-v", "/data", "box", "true")[0] == 0 and cocker("volumes", "-q")[1] == ""


def test_logs_of_a_span_of_time(cocker):
    assert cocker("run", "--network", "none", "--name", "job", "box", "sh", "-c", "echo a; sleep 0.1; echo b; sleep 0.1; echo c")[0] == 0
    stamp = cocker("logs", "-t", "job")[1].split()[2]
    assert cocker("logs", "--tail", "all", "job")[1] == "a\nb\nc\n" and cocker("logs", "-n", "1", "--until", stamp, "job")[1] == "b\n"
    assert cocker("logs", "--since", stamp, "job")[1] == "b\nc\n" and cocker("logs", "--since", "1h30m", "--until", "1h", "job")[1] == ""
    assert cocker("logs", "-f", "--until", "1m", "job")[0] == 2 and cocker("logs", "-n", "some", "job")[0] == 2


def test_attach_follows_from_now_on(cocker):
    script = "echo before; trap 'echo caught; exit 8' USR1; trap 'echo heard' USR2; while :; do sleep 0.05; done"
    cocker("run", "-d", "--network", "none", "--name", "web", "box", "sh", "-c", script)
    assert poll.until(lambda: "before" in cocker("logs", "web")[1], timeout=30)
    process = cocker.start("attach", "web", stdout=subprocess.PIPE)
    while not select.select([process.stdout], [], [], 0)[0]:
        cocker("kill", "-s", "USR2", "web")
    cocker("kill", "-s", "USR1", "web")
    assert set(process.communicate(timeout=30)[0].split()) == {b"heard", b"caught"} and process.returncode == 8
    cocker.engine.lab.end(process)
    assert cocker("attach", "web")[0] == 125


def test_a_follower_that_hangs_up_leaves_the_container_alone(cocker):
    cocker("run", "-d", "--network", "none", "--name", "web", "--stop-timeout", "0", "box", "sh", "-c", "while :; do echo; sleep 0.1; done")
    process = cocker.start("attach", "web", stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"\n"
    process.send_signal(signal.SIGHUP)
    assert process.wait(10) == 129 and cocker("ps", "-q")[1] == "web\n"
    cocker.engine.lab.end(process)
    process = cocker.start("attach", "--sig-proxy=false", "web", stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"\n"
    process.terminate()
    assert process.wait(10) == 143 and cocker("ps", "-q")[1] == "web\n"
    cocker.engine.lab.end(process)


def test_of_several_who_make_one_at_once_one_does(cocker):
    """The others would change what the first has made, if they wanted another one."""
    words = [("run", "-d", "--name", "same", "--network", "none", "-e", "A=%d" % place, "box", "sleep", "1000") for place in range(4)]
    processes = [cocker.start(*each, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for each in words]
    found = [(*process.communicate(timeout=120), process.returncode) for process in processes]
    for process in processes:
        cocker.engine.lab.end(process)
    made = [out.strip() for out, _err, code in found if code == 0]
    assert len(made) == 1 and json.loads(cocker("inspect", "same")[1])[0]["Id"] == made[0]
    assert all(code == 125 and "it exists already" in err for _out, err, code in found if code)


@pytest.mark.parametrize(("streams", "code", "text"), [
    (">&-", 0, ""), ("<&- >&- 2>&-", 0, ""), (">/dev/full", 1, "cocker: write: No space left on device\n")])
def test_streams_that_take_nothing(cocker, streams, code, text):
    """Also of a container's own output, and of a command in it."""
    for words in ("ps", "run --rm --network none box echo hi"):
        def run(words=words):
            line = "%s %s %s" % (cocker.command, words, streams)
            done = subprocess.run(["bash", "-c", line], env=cocker.env, capture_output=True, text=True, check=False, timeout=60)
            return done.returncode, done.stderr
        assert cocker.engine.lab.run(run) == (code, text)
    assert poll.until(lambda: cocker("ps", "-aq")[1] == "", timeout=30)      # who could not write did not wait for the end
