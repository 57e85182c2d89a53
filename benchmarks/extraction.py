"""Measure extractors of the main text of web pages: words shared with the marked main text, and speed.

    python -m benchmarks.extraction ../shared/data/web_pages

The F1 of a page is that of the multiset of its words (lower case, `\\w+`), as in WCXB. Every extractor runs in this
process on one core. Times are medians over the repeats, for all pages together.
"""

import argparse
import gzip
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from assay.cleaning import Page, main_text
from assay.progress import bar

WORD = re.compile(r"\w+")


def extractors() -> dict[str, Callable[[bytes], str | None]]:
    """Return name -> function from the bytes of a page to its text."""
    import readability
    import trafilatura
    from inscriptis import get_text
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding
    from resiliparse.parse.html import HTMLTree

    def tree(page: bytes) -> HTMLTree:
        return HTMLTree.parse(bytes_to_str(page, detect_encoding(page)))

    return {
        "trafilatura": lambda page: trafilatura.extract(page),
        "trafilatura, no comments": lambda page: trafilatura.extract(page, include_comments=False),
        "trafilatura, favor_precision": lambda page: trafilatura.extract(page, favor_precision=True),
        "trafilatura, favor_recall": lambda page: trafilatura.extract(page, favor_recall=True),
        "trafilatura, fast": lambda page: trafilatura.extract(page, fast=True),
        "resiliparse, main content": lambda page: extract_plain_text(tree(page), main_content=True, alt_texts=False),
        "resiliparse, whole page": lambda page: extract_plain_text(tree(page), alt_texts=False),
        "assay": lambda page: main_text(Page(page)),
        "readability": lambda page: get_text(readability.Document(page).summary()),
    }


def f1(found: str, truth: str) -> tuple[float, float, float]:
    """Return F1, precision and recall of the words, from 0 to 1."""
    a, b = (Counter(WORD.findall(text.lower())) for text in (found, truth))
    if not a or not b:
        return (1.0, 1.0, 1.0) if not a and not b else (0.0, 0.0, 0.0)
    common = (a & b).total()
    precision, recall = common / a.total(), common / b.total()
    return 2 * precision * recall / (precision + recall) if common else 0.0, precision, recall


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path)
    parser.add_argument("--repeats", type=int, default=1, help="repeats of the timing")
    options = parser.parse_args()
    truth = pd.read_parquet(options.pages / "main_content.parquet").set_index("file_id")["main_content"]
    kinds = pd.read_parquet(options.pages / "labels.parquet").set_index("file_id")["page_type"]
    pages = {file: gzip.decompress((options.pages / f"html/{file}.html.gz").read_bytes()) for file in truth.index}
    rows, seconds = [], {}
    for name, extract in extractors().items():
        times = []
        for repeat in range(options.repeats):
            started = time.perf_counter()
            for file, page in bar(pages.items(), unit=" pages", what=name, total=len(pages)):
                try:
                    text = extract(page) or ""
                except Exception as error:
                    text = ""
                    print(f"{name}: {file}: {error!r}")
                if not repeat:
                    rows.append((name, file, kinds[file], *f1(text, truth[file])))
            times.append(time.perf_counter() - started)
        seconds[name] = statistics.median(times)
    table = pd.DataFrame(rows, columns=["extractor", "file", "kind", "f1", "precision", "recall"])
    means = table.groupby("extractor", sort=False)[["f1", "precision", "recall"]].mean()
    means["pages/s"] = pd.Series({name: len(pages) / spent for name, spent in seconds.items()})
    print(means.round(3).to_string())
    print(table.pivot_table(index="extractor", columns="kind", values="f1", sort=False).round(3).to_string())


if __name__ == "__main__":
    main()
