"""The handbook of operations is right: its commands exist, its calculations hold, its settings are used."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HANDBOOK = (ROOT / "docs/operations.md").read_text()
SUM = re.compile(r"\d[\d.]*(?: [×÷+] \d[\d.]*)+")
ROWS = [row for row in re.findall(r"^\|(.*)\|$", HANDBOOK, re.M) if SUM.search(row)]


def reckon(sum_: str) -> float:
    """Return the value of a calculation: products before sums; `×` and `÷` from left to right."""
    total = 0.0
    for product in sum_.split(" + "):
        first, *rest = re.split(r" ([×÷]) ", product)
        value = float(first)
        for sign, number in zip(rest[::2], rest[1::2], strict=True):
            value = value * float(number) if sign == "×" else value / float(number)
        total += value
    return total


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[0].strip(" *"))
def test_a_calculation_in_a_table_holds(row: str) -> None:
    cells = [cell.strip() for cell in row.split("|")]
    said = float(cells[-1].replace(",", ""))
    assert reckon(cells[-2]) == pytest.approx(said, abs=0.5)
    if len(cells) == 5:  # a billion documents: the hours are those of the speed
        assert float(cells[2].replace(",", "")) == pytest.approx(1e9 / float(cells[1]) / 3600, abs=1)


def test_calculations_in_sentences_hold() -> None:
    text = " ".join(line for line in HANDBOOK.splitlines() if not line.startswith("|"))
    said = re.findall(rf"({SUM.pattern}) = ([\d.,]*\d)", text)
    assert len(said) >= 4
    for sum_, value in said:
        half_a_digit = 0.5 / 10 ** len(value.partition(".")[2])
        assert reckon(sum_) == pytest.approx(float(value.replace(",", "")), abs=half_a_digit)
    assert reckon("2 × 3 + 10 ÷ 4 ÷ 5") == 6.5


def test_speeds_are_those_that_were_measured() -> None:
    results = (ROOT / "benchmarks/RESULTS.md").read_text()
    short, long = (re.search(rf"{name}.*\n\|.*\n\| \| 64 \|(.*)", results)[1].split("|") for name in ("short", "long"))
    measured = {
        "254 tokens read, fp32": long[1],
        "254 tokens read, bf16": long[2],
        "45 tokens, fp32": short[1],
        "45 tokens, bf16": short[2],
    }
    for name, cell in measured.items():
        (row,) = [row for row in ROWS if name in row]
        assert float(row.split("|")[1]) == pytest.approx(float(cell.split()[0]) / 2), "two cores there"
    for pattern in (r"\| all of it: .*?\| (\d+) \|", r"\| \*\*ours\*\* .*\| (\d+) \|"):
        assert any(f"| {re.search(pattern, results)[1]} |" in row for row in ROWS)


def test_every_target_and_every_script_exists() -> None:
    targets = set(re.findall(r"\bmake ([a-z][a-z-]+) [A-Z]+=", HANDBOOK)) | set(
        re.findall(r"`make ([a-z-]+)`", HANDBOOK)
    )
    assert {"images", "flyte", "register", "lock"} <= targets
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=60).stdout
    assert targets <= set(re.findall(r"^([a-z-]+) ", listed, re.M))
    scripts = set(re.findall(r"\binfra/(?:flyte|image|monitoring|kubernetes)[\w./-]*\w", HANDBOOK))
    assert {"infra/flyte/tunnel.sh", "infra/flyte/secrets.yaml"} <= scripts
    assert [name for name in scripts if not (ROOT / name).exists()] == []


def test_the_settings_of_the_workflows_are_those_of_the_handbook() -> None:
    workflows = "".join(file.read_text() for file in (ROOT / ".github/workflows").glob("*.yml"))
    used = {*re.findall(r"vars\.([A-Z_]+)", workflows), *re.findall(r"role: ([A-Z_]+) }", workflows)}
    asked = HANDBOOK.partition("Once, in the repository's settings")[2].partition("\n## ")[0]
    assert set(re.findall(r"`([A-Z]+_[A-Z_]+)`", asked)) == used


def test_links_lead_to_files() -> None:
    for name in ("docs/operations.md", "infra/monitoring/README.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text()):
            assert link.startswith("http") or ((ROOT / name).parent / link).exists(), f"{name}: {link}"
