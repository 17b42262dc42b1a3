# SPDX-License-Identifier: GPL-3.0-or-later
"""People at a terminal: `cocker exec -it` and what else is typed at, with a real terminal on the host's side (pexpect)."""
from __future__ import annotations

import signal
import subprocess
import time

import pytest

from ansible_collections.cocker.engine.plugins.module_utils.kernel import poll
from ansible_collections.cocker.engine.tests.root import clilab, enginelab
from ansible_collections.cocker.engine.tests.root.clilab import PROMPT, ask, code

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def cocker(tmp_path_factory):
    command = clilab.packed(tmp_path_factory.mktemp("cli"))
    with enginelab.host(str(tmp_path_factory.mktemp("engine"))) as found:
        found.start("web", network_mode="none", stop_timeout=0)
        yield clilab.Cocker(found, command)
        found.ensure("web", state="absent")


@pytest.fixture
def web(cocker):
    return cocker.engine


@pytest.fixture
def seat(cocker):
    with clilab.seats(cocker) as sit:
        yield sit


def shell(seat, **named):
    found = seat("exec", "-it", "-e", "PS1=" + PROMPT, "web", "sh", **named)
    found.expect_exact(PROMPT)
    return found


def runs(web, mark):
    """Whether there is a process with these words in the container."""
    return web.exec("web", "/bin/sh", "-c", "ps | grep -c '[%s]%s'" % (mark[0], mark[1:]))["stdout"] != b"0\n"


def end(web, mark):
    web.exec("web", "/bin/sh", "-c", "kill $(ps | grep '[%s]%s' | awk '{print $1}')" % (mark[0], mark[1:]))
    assert poll.until(lambda: not runs(web, mark), timeout=5)


def test_a_terminal_of_the_container_s_own(seat):
    found = shell(seat)
    assert ask(found, "tty").startswith("/dev/pts/")
    assert ask(found, "stty size") == "40 100"
    assert ask(found, "echo $TERM") == "xterm"
    found.sendline("exit 3")
    assert code(found) == 3


def test_it_follows_the_window(seat):
    found = shell(seat)
    found.setwinsize(11, 33)
    assert poll.until(lambda: ask(found, "stty size") == "11 33", timeout=5)
    found.sendline("exit")


def test_keys_reach_the_command_raw(seat):
    found = shell(seat)
    assert ask(found, "trap 'echo caught' INT; echo set") == "set"
    found.send("\x03")
    found.expect_exact("caught")
    found.send("\x04")
    assert code(found) is not None


def test_several_at_once_know_nothing_of_each_other(seat):
    first, second = shell(seat), shell(seat)
    assert ask(first, "tty") != ask(second, "tty")
    first.sendline("exit 1")
    assert code(first) == 1
    assert ask(second, "echo still") == "still"
    second.sendline("exit")


@pytest.mark.parametrize(("options", "keys"), [((), "\x10\x11"), (("--detach-keys", "ctrl-a,d"), "\x01d")], ids=["usual", "own"])
def test_the_detach_keys_leave_the_command_alone(seat, web, options, keys):
    found = seat("exec", "-it", *options, "web", "sh", "-c", "echo begun; exec sleep 5550")
    found.expect_exact("begun")
    found.send(keys)
    assert code(found) == 0 and b"left web" in found.before
    assert poll.until(lambda: runs(web, "sleep 5550"), timeout=5)
    end(web, "sleep 5550")


def test_a_line_that_breaks_ends_the_command_and_not_the_container(seat, web):
    found = seat("exec", "-it", "web", "sh", "-c", "echo begun; sleep 5560")
    found.expect_exact("begun")
    before = web.state("web")["Pid"]
    found.kill(signal.SIGKILL)
    assert poll.until(lambda: not runs(web, "sleep 5560"), timeout=5)
    assert web.state("web")["Pid"] == before
    assert ask(shell(seat), "echo new") == "new"


def test_one_that_ignores_a_broken_line_goes_on(seat, web):
    found = seat("exec", "-it", "web", "sh", "-c", "trap '' HUP; echo begun; exec sleep 5570")
    found.expect_exact("begun")
    found.close(force=True)
    time.sleep(0.3)
    assert runs(web, "sleep 5570")
    end(web, "sleep 5570")


def test_the_terminal_is_as_it_was(seat, cocker):
    """A shell around it, whose terminal would stay raw."""
    found = seat(program="/bin/sh")
    found.expect_exact("outer> ")

    def settings():
        found.sendline("stty -a | md5sum")
        found.expect("[0-9a-f]{32}")
        return found.after

    before = settings()
    found.sendline("%s exec -it web true; %s exec -it nix sh; echo code $?" % (cocker.command, cocker.command))
    found.expect_exact("code 125\r\n")
    assert settings() == before


def test_streams_flow_while_the_command_runs(cocker):
    process = cocker.start("exec", "-i", "web", "sh", "-c", "echo no >&2; while read line; do echo got $line; done; exit 4",
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for word in (b"one", b"two"):
        process.stdin.write(word + b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"got %s\n" % word
    process.stdin.close()
    assert process.wait(10) == 4 and process.stderr.read() == b"no\n"


def test_much_goes_through_both_ways(cocker, tmp_path):
    """More than all buffers on the way hold."""
    content = bytes(range(256)) * (1 << 14)
    (tmp_path / "in").write_bytes(content)
    with open(tmp_path / "in", "rb") as stream, open(tmp_path / "out", "wb") as target:
        assert cocker.start("exec", "-i", "web", "cat", stdin=stream, stdout=target).wait(30) == 0
    assert (tmp_path / "out").read_bytes() == content


def test_a_command_that_reads_nothing_ends_all_the_same(cocker, tmp_path):
    with open("/dev/zero", "rb") as stream:
        assert cocker.start("exec", "-i", "web", "sleep", "0.3", stdin=stream).wait(30) == 0


def test_without_a_terminal_signals_are_the_command_s(cocker, web):
    script = "trap 'echo caught; exit 9' TERM; echo begun; while :; do sleep 0.05; done"
    process = cocker.start("exec", "web", "sh", "-c", script, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == b"caught\n" and process.wait(10) == 9


def test_a_pipe_that_breaks_ends_the_command(cocker, web):
    process = cocker.start("exec", "web", "sh", "-c", "echo begun; sleep 5580", stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"begun\n"
    process.kill()
    process.wait()
    assert poll.until(lambda: not runs(web, "sleep 5580"), timeout=5)


@pytest.mark.parametrize(("words", "number", "text"), [
    (("web", "no-such-program"), 127, "no-such-program"), (("web", "/etc/passwd"), 126, "Permission denied"),
    (("nix", "true"), 125, "does not exist"), (("-it", "web", "sh"), 125, "no terminal"), (("-u", "nobody-here", "web", "true"), 125, "nobody-here"),
    (("--detach-keys", "f1", "web", "true"), 125, "ctrl-"), (("--colour", "web", "true"), 125, "colour"),
    (("-w", "/nowhere", "web", "true"), 125, "option --workdir: /nowhere: No such file"), (("-w", "tmp", "web", "true"), 125, "--workdir: "),
], ids=str)
def test_what_is_not_the_command_s_own_code_is_told_apart(cocker, words, number, text):
    found, _out, err = cocker("exec", *words)
    assert found == number and text in err


def test_nobody_waits_for_one_that_is_detached(cocker, web):
    code_, out, _err = cocker("exec", "-d", "web", "sleep", "5590")
    assert code_ == 0 and len(out.strip()) == 64
    assert poll.until(lambda: runs(web, "sleep 5590"), timeout=5)
    end(web, "sleep 5590")


def test_attach_logs_in_where_there_is_no_command(seat, cocker, web):
    """The image greets, as a machine does at login; leaving the shell leaves the container alone."""
    web.start("small", command=(), network_mode="none", stop_timeout=0)
    web.exec("small", "/bin/sh", "-c", "echo 'echo --- Welcome ---' > /etc/profile; echo 'PS1=\"%s\"' >> /etc/profile" % PROMPT)
    found = seat("attach", "small")
    found.expect_exact("--- Welcome ---")
    found.expect_exact(PROMPT)
    assert ask(found, "pwd; hostname") == "/root\nsmall"
    found.sendline("exit")
    assert code(found) == 0 and web.state("small")["Running"]
    assert cocker("attach", "small")[0] == 125
    web.ensure("small", state="absent")


def sit(seat, *options, name="small"):
    found = seat("run", "-it", "--network", "none", "--stop-timeout", "0", "--name", name, "-e", "PS1=" + PROMPT, *options, "box", "sh")
    found.expect_exact(PROMPT)
    found.sendline("echo be''gun")      # the window's size has come meanwhile, and the prompt once more
    found.expect_exact("begun\r\n" + PROMPT)
    return found


def test_run_with_a_terminal_from_the_first_word_to_the_exit_code(seat, cocker, web):
    found = sit(seat, "--rm")
    assert ask(found, "stty size; echo $$") == "40 100\n1"
    found.setwinsize(11, 33)
    assert poll.until(lambda: ask(found, "stty size") == "11 33", timeout=5)
    found.sendline("exit 5")
    assert code(found) == 5 and web.find("small") is None


def test_a_terminal_is_left_and_taken_again(seat, cocker, web):
    found = sit(seat)
    assert ask(found, "X=kept; echo set") == "set"
    found.send("\x10\x11")
    assert code(found) == 0 and web.state("small")["Running"]
    again, other = seat("attach", "small"), seat("attach", "small")
    for each in (again, other):
        each.sendline("echo $X''$X")
        each.expect_exact("keptkept\r\n")
    again.sendline("echo $X''$X''$X")
    other.expect_exact("keptkeptkept\r\n")
    again.close(force=True)
    time.sleep(0.2)
    assert web.state("small")["Running"]
    other.sendline("exit 6")
    assert code(other) == 6
    assert "kept" in cocker("logs", "small")[1]
    web.ensure("small", state="absent")


def test_one_that_is_to_be_removed_goes_also_when_it_was_left(seat, web):
    found = sit(seat, "--rm")
    found.send("\x10\x11")
    found.expect_exact("\r\ncocker: left small, which goes on")
    assert code(found) == 0 and web.state("small")["Running"]
    again = seat("attach", "small")
    again.sendline("exit 6")
    assert code(again) == 6
    assert poll.until(lambda: web.find("small") is None, timeout=20)


def test_a_terminal_needs_one_here(cocker, web):
    code_, _out, err = cocker("run", "-it", "--network", "none", "--name", "small", "box", "sh")
    assert code_ == 125 and "no terminal" in err and web.find("small") is None


def test_input_of_run_ends_as_ours_does(cocker, web):
    assert cocker("run", "-i", "--rm", "--network", "none", "box", "sh", "-c", "cat; echo over; exit 4", stdin="one\ntwo\n") \
        == (4, "one\ntwo\nover\n", "")
    assert cocker("run", "-i", "--rm", "--network", "none", "box", "true") == (0, "", "")
