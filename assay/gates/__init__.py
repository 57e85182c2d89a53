"""The gates, which refuse a model: shortcuts, counterfactuals (changed texts), leaks."""

from assay.gates.counterfactuals import Reader, keywords, measure_counterfactuals
from assay.gates.leak import leak_elsewhere
from assay.gates.limits import GATE_LIMIT, GateLimits
from assay.gates.report import gate_sections
from assay.gates.run import refusals, run_gates, run_gates_elsewhere
from assay.gates.shortcuts import measure_shortcuts
from assay.gates.split_comparison import compare_splits
from assay.gates.straddling import find_straddling
from assay.gates.surface import surface_features
from assay.gates.verdict import Verdict

__all__ = [
    "GATE_LIMIT",
    "GateLimits",
    "Reader",
    "Verdict",
    "compare_splits",
    "find_straddling",
    "gate_sections",
    "keywords",
    "leak_elsewhere",
    "measure_counterfactuals",
    "measure_shortcuts",
    "refusals",
    "run_gates",
    "run_gates_elsewhere",
    "surface_features",
]
