"""Asks a browser about a page: headless Chromium runs a script that is added to a copy of the page."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(BROWSER is None, reason="needs Chromium, to see the page as a reader does")
PAUSE = "const pause = () => new Promise(done => setTimeout(done, 300));"


def ask(page: Path, folder: Path, question: str) -> tuple[dict, list[str]]:
    """Load a copy of the page, run `question` (the body of an async function that returns an object) in it.

    Returns the object, and every line that the page wrote to the console: Chromium logs errors and warnings alike.
    """
    script = (
        f"<script>window.addEventListener('load', async () => {{ {PAUSE} await pause();"
        f"const answer = await (async () => {{ {question} }})().catch(error => ({{failed: String(error)}}));"
        "const place = document.createElement('pre'); place.id = 'answer';"
        "place.textContent = JSON.stringify(answer); document.body.append(place); });</script>"
    )
    before, _, after = page.read_text(encoding="utf-8").rpartition("</body>")
    copy = folder / page.name
    copy.write_text(f"{before}{script}</body>{after}", encoding="utf-8")
    done = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr", "--v=0", "--virtual-time-budget=20000", "--dump-dom", copy.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    answer = re.search(r'<pre id="answer">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    console = re.findall(r':CONSOLE[:(]\d+\)?\] "(.*?)", source: ', done.stderr, flags=re.DOTALL)
    assert answer, (console, done.stderr[-3000:])
    return json.loads(html.unescape(answer[1])), console
