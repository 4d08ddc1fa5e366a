"""Take the pictures of a report's page that docs/report.md shows: python docs/page.py.

Needs Chromium, and the page of the full MNIST's factorial, which is written where there is none.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "reports" / "mnist" / "factorial" / "report.html"
SIZES = {"page_desktop.png": "1280,800", "page_phone.png": "390,844"}
_DRAWN = 20_000  # milliseconds, of the browser's own clock


def main() -> None:
    """Write the pictures beside this script."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        sys.exit("No Chromium on the PATH: apt-get install chromium")
    sidebyside = [sys.executable, "-m", "sidebyside.cli.main", "report"]
    subprocess.run([*sidebyside, "study=factorial", "dataset=mnist"], check=True)  # noqa: S603
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    for name, size in SIZES.items():
        picture = ROOT / "docs" / name
        shown = [f"--window-size={size}", f"--virtual-time-budget={_DRAWN}"]
        taken = [browser, *flags, *shown, f"--screenshot={picture}", PAGE.as_uri()]
        subprocess.run(taken, check=True, stderr=subprocess.DEVNULL)  # noqa: S603
        print(picture.relative_to(ROOT))


if __name__ == "__main__":
    main()
