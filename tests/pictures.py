"""Make the images in docs/pictures: a real run in a terminal, and pages of the generated site.

Run it with `make pictures`.
"""

import io
import json
import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from rich.ansi import AnsiDecoder
from rich.console import Console
from support.browser import chromium
from support.generated import (
    BIN,
    ROOT,
    environment_in,
    forget_other_sites,
    listens,
    unused_port,
)
from support.terminal import in_terminal

PICTURES = ROOT / "docs" / "pictures"
COMMAND = ["uvx", "cookiecutter", "gh:org/template"]
ANSWERS = ["Tea Shop", "", "", "", ""]
SLUG = "tea-shop"
PAGES = [
    # file, path, colours, width and height
    ("home.png", "/", "light", 960, 720),
    ("home-phone.png", "/", "dark", 390, 800),
    ("404.png", "/errors/404/", "light", 960, 480),
    ("500.png", "/errors/500/", "dark", 960, 480),
    ("lock-out-phone.png", "/errors/429/", "light", 390, 800),
]
# Replaces rich's template, which loads its font from another server.
SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<style>
.{unique_id}-matrix {{ font: {char_height}px ui-monospace, Menlo, Consolas, monospace; }}
{styles}
</style>
<defs>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def generate(folder, command):
    """Generate a site in `folder`, with this repository as gh:…; return the terminal's output."""
    variables = environment_in(folder) | {"TERM": "xterm-256color"}
    variables["PATH"] = os.pathsep.join([str(BIN), variables["PATH"]])
    config = {"abbreviations": {"gh": str(ROOT)}, "replay_dir": str(folder / "replay")}
    Path(variables["COOKIECUTTER_CONFIG"]).write_text(json.dumps(config))
    status, output = in_terminal(command, folder, variables, ANSWERS)
    assert status == 0, output
    return f"$ {' '.join(command)}\n{output}".replace("\r\n", "\n")


def terminal(output):
    """Return an SVG of the final content of a terminal."""
    console = Console(record=True, file=io.StringIO(), width=80, color_system="truecolor")
    for line in AnsiDecoder().decode(output):
        console.print(line)
    svg = console.export_svg(title="", code_format=SVG, unique_id="terminal")
    svg = re.sub("<text [^>]+>\n</text>", "", svg)  # line ends
    # With a line for each element, the diff of another run is short.
    svg = svg.replace("</text><text", "</text>\n<text")
    return "".join(f"{line.strip()}\n" for line in svg.splitlines() if line.strip())


def words(svg):
    """Return the lines of an SVG without spaces, and without what differs by day or machine."""
    lines = {}
    for place, text in re.findall(r"<text [^>]+ y=\"([\d.]+)\"[^>]*>(.+?)</text>", svg):
        lines[place] = lines.get(place, "") + text.replace("&#160;", "")
    return [re.sub(r"[\d.]+", "0", line) for line in lines.values() if "version" not in line]


def take_screenshots(site, folder):
    """Save screenshots of PAGES, served by runserver, in `folder`."""
    port = unused_port()
    command = [site / ".venv" / "bin" / "python", "manage.py", "runserver", "--noreload", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, cwd=site, **quiet)
    deadline = time.monotonic() + 30
    try:
        while not listens(port):
            assert server.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        with chromium() as browser:
            for name, path, colours, width, height in PAGES:
                size = {"width": width, "height": height}
                page = browser.new_page(viewport=size, color_scheme=colours)
                page.goto(f"http://127.0.0.1:{port}{path}")
                page.screenshot(path=folder / name)
    finally:
        server.terminate()
        server.wait(30)


def main():
    """Make all pictures."""
    forget_other_sites()
    subprocess.run([BIN / "uvx", *COMMAND[1:2], "--version"], check=True)  # downloads it
    with tempfile.TemporaryDirectory() as folder:
        output = generate(Path(folder), COMMAND)
        (PICTURES / "terminal.svg").write_text(terminal(output))
        take_screenshots(Path(folder) / SLUG, PICTURES)


if __name__ == "__main__":
    main()
