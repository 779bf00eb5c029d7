"""Make the gallery's pictures anew: a recording of the live table, and the page at two widths.

    python docs/site/pictures.py            # needs selenium, pyte, Chromium and its driver

Runs on Unix: the recording needs a pseudo-terminal.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Any

IMAGES = Path(__file__).parents[1] / "images"
COLUMNS, LINES = 92, 22
PROXIES = "params,flops,depth,swap,reg_swap,nwot,nsc,l2_norm,synflow,snip,grad_norm"
COMMAND = ("table", "--archs", "60", "--proxies", PROXIES, "--workers", "2")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip

Event = tuple[float, str]


def recorded(command: list[str]) -> list[Event]:
    """Run a command in a terminal of its own; return what it wrote, and when."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    running = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    start, events, pending = time.monotonic(), [], b""
    while True:
        ready, _, _ = select.select([master], [], [], 0.2)
        if ready:
            try:
                read = os.read(master, 65536)
            except OSError:  # the other end is closed
                read = b""
            if not read:
                break
            pending += read
            whole = pending.decode("utf-8", errors="ignore")
            pending = pending[len(whole.encode()) :]
            events.append((time.monotonic() - start, whole))
        elif running.poll() is not None:
            break
    if running.wait() != 0:
        raise SystemExit("".join(text for _, text in events))
    return events


def screens(events: list[Event], most: int = 80) -> list[tuple[float, list[str]]]:
    """Return what the terminal showed, at most so many times: lines with their colours."""
    import pyte

    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.Stream(screen)
    step, found = events[-1][0] / most, []
    for when, text in events:
        stream.feed(text)
        now = [_coloured(screen.buffer[row]) for row in range(LINES)]
        if found and (when - found[-1][0] < step or found[-1][1] == now):
            continue
        found.append((when, now))
    return [*found, (events[-1][0], now)]


def _coloured(cells: Any) -> str:
    """Return a line of the terminal with escapes for its colours, as few as there can be."""
    line, before = "", ("default", False)
    for column in range(COLUMNS):
        cell = cells[column]
        style = (cell.fg, cell.bold)
        if style != before and cell.data != " ":
            line += "\x1b[0m" + ("\x1b[1m" if cell.bold else "")
            if len(cell.fg) == 6 and cell.fg != "default":
                red, green, blue = (int(cell.fg[k : k + 2], 16) for k in (0, 2, 4))
                line += f"\x1b[38;2;{red};{green};{blue}m"
            before = style
        line += cell.data
    return line.rstrip() + ("\x1b[0m" if before != ("default", False) else "")


def write_cast(shown: list[tuple[float, list[str]]]) -> None:
    """Write the recording as asciinema's format 2: each screen anew."""
    header = {"version": 2, "width": COLUMNS, "height": LINES, "idle_time_limit": 0.5,
              "title": f"naslib-swap {' '.join(COMMAND)}"}  # fmt: skip
    lines = [json.dumps(header)]
    for when, screen in shown:
        text = "\x1b[?25l\x1b[H\x1b[2J" + "\r\n".join(screen).rstrip()
        lines.append(json.dumps([round(when, 1), "o", text], ensure_ascii=False))
    (IMAGES / "live-table.cast").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_frames(shown: list[tuple[float, list[str]]], most: int = 3) -> None:
    """Write some screens of the recording, one below the other, as SVG."""
    from rich.console import Console
    from rich.text import Text

    ranked = [one for one in shown if all(word in "".join(one[1]) for word in ("so far", "left"))]
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115
    for place in range(most):
        when, lines = ranked[(place * 2 + 1) * len(ranked) // (2 * most)]
        console.print(Text(f"after {when:.0f} s", style="bold"))
        for line in "\n".join(lines).rstrip().split("\n"):
            console.print(Text.from_ansi(line))
        console.print()
    svg = console.export_svg(title="naslib-swap table")
    (IMAGES / "live-table.svg").write_text(svg, encoding="utf-8")


def photograph(page: Path) -> None:
    """Take pictures of the page, some networks picked, as wide as a desk and a telephone."""
    from PIL import Image
    from selenium import webdriver

    for width, height in ((1280, 2050), (390, 1300)):
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        with tempfile.TemporaryDirectory() as profile:
            for flag in (*FLAGS, f"--user-data-dir={profile}"):
                options.add_argument(flag)
            service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
            browser = webdriver.Chrome(options=options, service=service)
            try:
                browser.execute_cdp_cmd(
                    "Emulation.setDeviceMetricsOverride",
                    {"width": width, "height": height, "deviceScaleFactor": 1,
                     "mobile": width < 600},
                )  # fmt: skip
                browser.get(page.resolve().as_uri())
                time.sleep(2)
                browser.execute_script("document.querySelector('.pick-top').click()")
                if width < 600:
                    browser.execute_script("document.querySelector('.explorer').scrollIntoView()")
                time.sleep(3)
                taken = Image.open(io.BytesIO(browser.get_screenshot_as_png()))
                # 128 colours are enough, and a third of the size.
                taken.convert("RGB").quantize(128).save(
                    IMAGES / f"report-{width}.png", optimize=True
                )
            finally:
                browser.quit()


def main() -> None:
    """Make all pictures; a folder of results may be given, whose page is photographed."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results"
        program = [sys.executable, "-m", "naslib_swap.cli"]
        events = recorded([*program, *COMMAND, "--out", str(out)])
        shown = screens([(when, text.replace(str(out), "results")) for when, text in events])
        write_cast(shown)
        write_frames(shown)
        given = Path(sys.argv[1]) if len(sys.argv) > 1 else out
        photograph(given / "report.html")


if __name__ == "__main__":
    main()
