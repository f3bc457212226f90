"""Runs a program in a pseudo-terminal, types answers, and captures its output."""

import codecs
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

SECONDS = 120  # timeout for the program


def in_terminal(command, cwd, env, answers=(), columns=80):
    """Run `command` in a terminal; return its exit status and its output.

    `answers` are typed in turn, each at a prompt such as "Name: ". After SECONDS, the program is
    killed.
    """
    process, terminal = pty.fork()
    if process == 0:
        try:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 40, columns, 0, 0))
            os.chdir(cwd)
            env = {name: value for name, value in env.items() if name not in ("COLUMNS", "LINES")}
            os.execvpe(command[0], [str(word) for word in command], env)
        finally:
            os._exit(127)
    seen, answers, until = "", list(answers), time.monotonic() + SECONDS
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    with contextlib.suppress(OSError), open(terminal, "rb+", buffering=0) as opened:
        while select.select([opened], [], [], max(0, until - time.monotonic()))[0]:
            seen += decode(opened.read(1024))  # at the end of the output, read() raises OSError
            if answers and plain(seen).endswith(": "):
                opened.write(f"{answers.pop(0)}\n".encode())
        os.kill(process, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), seen


def plain(text):
    """Return `text` without color codes."""
    return re.sub("\033\\[[0-9;]*m", "", text)
