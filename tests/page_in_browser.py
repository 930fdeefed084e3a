#!/usr/bin/env python3
"""page_in_browser.py REPORT.html: the page in headless Chromium at 1280 and 390 pixels, light and dark, and on A4.

Fails where something is wider than the page or cut, an anchor leads nowhere, a figure does not fill the column or its
text is too small to read, or text has a contrast below 4.5.  Needs Chromium (or $CHROMIUM) and pdftotext.
"""
import html
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

FLAGS = ("--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
         "--disable-component-update --disable-sync").split()
WIDTHS = (1280, 390)  # pixels
THEMES = ("light", "dark")
SMALLEST = 10  # pixels, text of 7 points in a figure
A4 = (595.3, 841.9)  # points

# Run inside the page, which stands in a frame of the wanted width and theme; its parent writes down what it is told.
MEASURE = """
addEventListener('load', async () => {
  await Promise.all([...document.images].map(i => i.decode()));
  const width = document.documentElement.clientWidth, wrong = [];
  const name = e => e.tagName + ' ' + (e.id || e.textContent.slice(0, 40));
  const whole = document.documentElement.scrollWidth;
  if (whole > width) wrong.push('the page is ' + whole + ' wide');
  document.querySelectorAll('details').forEach(d => { d.open = true; });
  for (const e of document.querySelectorAll('body *')) {
    if (e.closest('thead') && getComputedStyle(e.closest('thead')).position == 'absolute') continue;
    const box = e.getBoundingClientRect();
    if (box.right > width + 1 || box.left < -1) wrong.push(name(e) + ' reaches from ' + box.left + ' to ' + box.right);
    const hides = getComputedStyle(e).overflowX != 'visible';
    if (hides && e.scrollWidth > e.clientWidth + 1) wrong.push(name(e) + ' is cut');
  }
  for (const a of document.querySelectorAll('nav a'))
    if (!document.querySelector(a.getAttribute('href'))) wrong.push(name(a) + ' leads nowhere');
  const column = document.querySelector('main').clientWidth;
  for (const i of document.images) {
    const shown = i.getBoundingClientRect().width;
    if (!i.naturalWidth || Math.abs(shown - column) > 1) wrong.push(i.alt + ' is ' + shown + ' wide in ' + column);
    const points = Number((i.currentSrc == i.src ? i : i.previousElementSibling).getAttribute('width'));
    if (7 * shown / points < SMALLEST) wrong.push(i.alt + ' has text of ' + 7 * shown / points + ' pixels');
  }
  const light = colour => {
    const part = colour.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255).map(
      v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
  };
  const ground = e => {
    for (; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (colour != 'rgba(0, 0, 0, 0)') return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  let least = 99;
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType == 3 && n.data.trim())) continue;
    const pair = [light(getComputedStyle(e).color), light(ground(e))];
    const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    least = Math.min(least, contrast);
    if (contrast < 4.5) wrong.push(name(e) + ' has contrast ' + contrast);
  }
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const found = {frame: window.name, wrong, least, dark: paper < 0.5, images: document.images.length};
  parent.postMessage(JSON.stringify(found), '*');
});
""".replace("SMALLEST", str(SMALLEST))


def chromium(*arguments):
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run([os.environ.get("CHROMIUM", "chromium"), *FLAGS, f"--user-data-dir={home}", *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=300, check=True)
    return done.stdout.decode()


def measure(page, folder):
    """What MEASURE found in frames of every width and theme: (width, theme) -> its answer."""
    (folder / "page.html").write_text(page.replace("</body>", f"<script>{MEASURE}</script></body>"))
    frames = "".join(f"<iframe name='{width} {theme}' src=page.html style='border:0; width:{width}px; height:900px; "
                     f"color-scheme:{theme}'></iframe>" for width in WIDTHS for theme in THEMES)
    (folder / "frames.html").write_text(
        "<!doctype html><body><script>addEventListener('message', m => { const e = document.createElement('pre'); "
        f"e.textContent = m.data; document.body.append(e); }});</script>{frames}")
    dom = chromium("--window-size=1600,1000", "--virtual-time-budget=60000", "--dump-dom",
                   f"file://{folder}/frames.html")
    answers = [json.loads(html.unescape(text)) for text in re.findall("<pre>(.+?)</pre>", dom, re.S)]
    return {tuple(answer["frame"].split()): answer for answer in answers}


def printed(page, path, folder):
    """Wrong things of the PDF: words beyond the paper, words of tables that are not there, headings at the foot."""
    pdf = folder / "page.pdf"
    chromium("--no-pdf-header-footer", f"--print-to-pdf={pdf}", f"file://{path}")
    boxes = subprocess.run(["pdftotext", "-bbox", pdf, "-"], stdout=subprocess.PIPE, check=True).stdout.decode()
    wrong, words = [], set()
    for size in re.findall('<page width="([\\d.]+)" height="([\\d.]+)"', boxes):
        if any(abs(float(a) - b) > 1 for a, b in zip(size, A4)):
            wrong.append(f"a page is {' x '.join(size)} points")
    for left, right, word in re.findall('<word xMin="([\\d.-]+)" .*?xMax="([\\d.-]+)" .*?>(.*?)</word>', boxes):
        words.add(html.unescape(word))
        if float(left) < 10 or float(right) > A4[0] - 10:
            wrong.append(f"'{word}' reaches from {left} to {right} points")
    text = subprocess.run(["pdftotext", "-layout", pdf, "-"], stdout=subprocess.PIPE, check=True).stdout.decode()
    headings = {html.unescape(re.sub("<[^>]+>", "", h)).strip() for h in re.findall("<h[23][^>]*>(.*?)</h[23]>", page)}
    for number, lines in enumerate(text.split("\f")[:-1], 1):
        last = lines.strip().rpartition("\n")[2].strip()
        if last in headings:
            wrong.append(f"page {number} ends with the heading '{last}'")
    page = re.sub("<details class=long>.*?</details>", "", page, flags=re.S)  # paper has a summary above it
    cells = {word for cell in re.findall("<td[^>]*>(.*?)</td>", page) for word in
             html.unescape(re.sub("<[^>]+>", " ", cell)).split() if re.fullmatch("[a-z0-9,.]+", word)}
    missing = [w for w in sorted(cells) if w not in words]
    if len(missing) > 0.02 * len(cells):  # a few are set in parts, such as powers of ten
        wrong.append(f"{len(missing)} of {len(cells)} words of tables are not in the PDF, such as {missing[:5]}")
    return wrong


def main(path):
    page = path.read_text(encoding="utf-8")
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        answers = measure(page, folder)
        for width in WIDTHS:
            for theme in THEMES:
                found = answers.get((str(width), theme))
                if not found:
                    sys.exit(f"{width} pixels, {theme}: the page measured nothing")
                print(f"measured {width} pixels, {theme}: {found['images']} figures, least contrast "
                      f"{found['least']:.2f}")
                wrong += [f"{width} pixels, {theme}: {w}" for w in found["wrong"]]
                if found["dark"] != (theme == "dark") or not found["images"]:
                    wrong.append(f"{width} pixels, {theme}: not in this theme, or without figures")
        wrong += [f"A4: {w}" for w in printed(page, path.resolve(), folder)]
    print(*wrong[:20], sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
