"""`unisono bench page`: how soon the page is there, in the Chromium of this machine, over loopback, as the
browser itself tells.

Each try is a fresh browser context: nothing is in its cache. Units: milliseconds, bytes.
"""

import shutil
from typing import Any

from unisono.assess.options import BenchOptions
from unisono.assess.speed.server import served
from unisono.assess.speed.timing import Effort, Measured, summary
from unisono.core.errors import UserError

NUM_TRIES = 10
NAMES = ("chromium", "chromium-browser", "google-chrome")
# Paints, what was fetched, and how far things moved after they were first seen (cumulative layout shift).
TELL = """() => new Promise(done => {
  let shift = 0;
  new PerformanceObserver(list => { for (const one of list.getEntries()) shift += one.value; }).observe({type: 'layout-shift', buffered: true});
  const [page] = performance.getEntriesByType('navigation'), files = performance.getEntriesByType('resource');
  const paint = name => performance.getEntriesByName(name)[0]?.startTime ?? null;
  setTimeout(() => done({first_paint_ms: paint('first-paint'), first_contentful_paint_ms: paint('first-contentful-paint'), usable_ms: page.domContentLoadedEventEnd,
    bytes: [page, ...files].reduce((sum, one) => sum + one.encodedBodySize, 0), files: files.length + 1, layout_shift: shift}), 300);
})"""


def bench_page(options: BenchOptions, effort: Effort) -> Measured:
    """Paints and sizes."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise UserError(
            "measuring the page needs playwright: pip install playwright, and a Chromium of the system"
        ) from None
    browser_path = next(filter(None, map(shutil.which, NAMES)), None)
    if browser_path is None:
        raise UserError(
            f"measuring the page needs one of {', '.join(NAMES)}; on Debian: apt-get install chromium"
        )
    folder, found = options.network.resolve(), []
    with served(folder) as (port, _, _), sync_playwright() as running:
        browser = running.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        version = browser.version
        for _ in range(NUM_TRIES if effort.num_turns > 2 else 2):
            with browser.new_context() as context:
                page = context.new_page()
                page.goto(f"http://127.0.0.1:{port}/", wait_until="load")
                found.append(page.evaluate(TELL))
        browser.close()
    numbers: dict[str, Any] = {name: summary([one[name] for one in found]) for name in found[0]}
    measured = Measured(numbers, {"browser": f"Chromium {version}", "tries": len(found)})
    for name, unit in (
        ("first_paint_ms", "ms"),
        ("first_contentful_paint_ms", "ms"),
        ("usable_ms", "ms"),
        ("bytes", "bytes"),
        ("files", ""),
        ("layout_shift", ""),
    ):
        measured.row(name.removesuffix("_ms").replace("_", " "), numbers[name], unit)
    return measured
