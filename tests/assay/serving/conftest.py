"""A real Bento of a tiny model, and a real process that serves it, each made once."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from assay.inference import Scorer, write_golden
from assay.model import Calibration, ModelInfo, Windows, new_model, save_model
from assay.rubric import load_rubric
from assay.serving import Bento, ServerProcess, build_bento
from assay.storage import digest_folder

CREATED = "2026-01-02T03:04:05+00:00"
RIG = '''

_plain = assess


def assess(scorer, texts, *arguments, **options):
    """Rigged by a test: a text can cause an error, or hold the model until a file exists."""
    import time
    from pathlib import Path

    for text in texts:
        word, _, rest = (text or "").partition(" ")
        if word == "RAISE":
            raise RuntimeError(f"cannot work on {text}")
        while word == "HOLD" and not Path(rest).exists():
            time.sleep(0.01)
    return _plain(scorer, texts, *arguments, **options)
'''


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, sample: list[dict]) -> Path:
    """An untrained model, calibrated to its own scores, with three windows of 24 tokens: all parts, no quality."""
    folder = tmp_path_factory.mktemp("served") / "model"
    folder.mkdir()
    info = ModelInfo(str(tiny_encoder), load_rubric("education"), Windows(24, 3), lineage={"snapshot": "5" * 64})
    scorer = Scorer(new_model(info, seed=0), device="cpu")
    with torch.no_grad():  # untrained, its scores of all texts are nearly the same, and rounding makes some equal
        for weights in scorer.model.network.parameters():
            weights.mul_(8 if weights.ndim == 2 else 1)
    texts, labels = [row["text"] for row in sample[:100]], [float(row["label"]) for row in sample[:100]]
    rubric = info.rubric
    scores = scorer.read(texts).score
    calibration = Calibration.fit(scores, labels, low=rubric.low, high=rubric.high, threshold=rubric.threshold)
    lineage = {**info.lineage, "run": "7" * 64, "documents": {"train": 100}}
    scorer.model.info = ModelInfo(
        "tiny", rubric, info.windows, languages=("en",), calibration=calibration, lineage=lineage
    )
    save_model(scorer.model, folder)
    write_golden(scorer, [row["id"] for row in sample[:100]], texts, folder)
    return folder


@pytest.fixture(scope="session")
def bento(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Bento:
    return build_bento(
        tiny_model, digest_folder(tiny_model)[:12], tmp_path_factory.mktemp("bentos") / "bento", created=CREATED
    )


@dataclass(frozen=True)
class Keys:
    """Tokens of the server."""

    file: Path
    given: str = "token-of-the-settings"
    in_file: str = "token-of-the-file-01"
    metrics: str = "token-of-the-metrics"


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    keys = Keys(tmp_path_factory.mktemp("tokens") / "tokens.txt")
    keys.file.write_text(f"# clients\n\n{keys.in_file}  # the crawler\n")
    return keys


@pytest.fixture(scope="session")
def rigged_bento(bento: Bento, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the Bento whose model a test can hold and break. Otherwise it is unchanged."""
    folder = tmp_path_factory.mktemp("rigged") / "bento"
    shutil.copytree(bento.path, folder)
    code = folder / "src/assay/inference/assess.py"
    code.write_text(code.read_text() + RIG)
    return folder


@pytest.fixture(scope="session")
def start(rigged_bento: Path, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable]:
    """The server of all tests, started again if a test has ended it."""
    environment = {
        "ASSAY_SERVE_TOKENS": f"another-token-of-them, {keys.given}",
        "ASSAY_SERVE_TOKENS_FILE": str(keys.file),
        "ASSAY_SERVE_METRICS_TOKENS": keys.metrics,
        "ASSAY_SERVE_REQUESTS": "32",
        "ASSAY_SERVE_SECONDS": "8",
        "ASSAY_SERVE_BODY_SECONDS": "5",
    }
    log = tmp_path_factory.mktemp("logs") / "server.log"
    running: list[ServerProcess] = []
    with contextlib.ExitStack() as stack:

        def server() -> ServerProcess:
            if not running or not running[-1].alive:
                running.append(stack.enter_context(ServerProcess(rigged_bento, environment=environment, log=log)))
            return running[-1]

        yield server


@pytest.fixture
def server(start: Callable) -> ServerProcess:
    """A server that requires tokens."""
    return start()


@pytest.fixture
def ask(server: ServerProcess, keys: Keys) -> Callable:
    """Call the server with a valid token; returns status and content."""
    return lambda path, content=None: server.ask(path, content, token=keys.given)


@pytest.fixture
def metric(server: ServerProcess, keys: Keys) -> Callable[[str], float]:
    """Value of a sample of /metrics by its name with labels; 0 if it is missing."""

    def value(name: str) -> float:
        status, text = server.ask("/metrics", token=keys.metrics)
        assert status == 200
        samples = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return sum(float(number) for sample, _, number in samples if sample == name)

    return value
