"""What others would run in place of `assay score`, each as a process from Parquet to Parquet, for benchmarks.scoring.

    python -m benchmarks.rivals train KIND LABELS MODEL      a cheap model; LABELS: Parquet with text and label
    python -m benchmarks.rivals score KIND MODEL SOURCE OUTPUT TOKENS

Kinds: `loop-16`, `loop-64` and so on are a plain loop of transformers, as in the scripts of FineWeb-Edu: texts in
their order, batches of so many, padded to the longest. `sorted` is the same over texts sorted by length, 32 a batch.
`sentence-transformers` is its `encode`, which sorts, too, and the network's head. `fasttext` is a classifier of five
equal classes of the labels, whose score is the expected class. `static` is model2vec: static embeddings of the packaged
encoder's words, the mean of a document's, and ridge regression.

The last three need packages that are no part of the lock, and fasttext would stand in the way of another one that is:
`pip install --target FOLDER --no-deps sentence-transformers fasttext-numpy2 model2vec skeletoken more_itertools`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

CLASSES = 5
LEARNED = ("fasttext", "static")
"""Kinds that are trained on labels."""
PACKAGES = {"sentence-transformers": "sentence_transformers", "fasttext": "fasttext", "static": "model2vec"}
"""What each kind imports; a loop needs nothing beyond the lock."""


def by_loop(model: str, texts: Sequence[str], tokens: int, batch: int, *, ordered: bool) -> np.ndarray:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    network = AutoModelForSequenceClassification.from_pretrained(model, trust_remote_code=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    order = np.argsort([-len(text) for text in texts], kind="stable") if ordered else np.arange(len(texts))
    scores = np.zeros(len(texts))
    for start in range(0, len(texts), batch):
        rows = order[start : start + batch]
        some = [texts[row] for row in rows]
        given = tokenizer(some, return_tensors="pt", padding="longest", truncation=True, max_length=tokens)
        with torch.no_grad():
            scores[rows] = network(**given).logits[:, 0].float().numpy()
    return scores


def by_sentence_transformers(model: str, texts: Sequence[str], tokens: int) -> np.ndarray:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer
    from transformers import AutoModelForSequenceClassification

    words = Transformer(model, max_seq_length=tokens)
    encoder = SentenceTransformer(modules=[words, Pooling(words.get_word_embedding_dimension(), "cls")], device="cpu")
    first = encoder.encode(list(texts), batch_size=32, convert_to_tensor=True, show_progress_bar=False)
    whole = AutoModelForSequenceClassification.from_pretrained(model, trust_remote_code=False).eval()
    with torch.no_grad():
        return whole.classifier(torch.tanh(whole.bert.pooler.dense(first)))[:, 0].float().numpy()


def _line(text: str) -> str:
    return " ".join(text.split())


def train_fasttext(table: pd.DataFrame, folder: Path) -> None:
    import fasttext

    classes = np.minimum((table["label"].rank(pct=True) * CLASSES).astype(int), CLASSES - 1)
    lines = [f"__label__{name} {_line(text)}\n" for name, text in zip(classes, table["text"], strict=True)]
    (folder / "lines").write_text("".join(lines))
    model = fasttext.train_supervised(
        str(folder / "lines"), wordNgrams=2, epoch=10, lr=0.3, dim=64, thread=2, verbose=0
    )
    model.save_model(str(folder / "model.bin"))
    (folder / "lines").unlink()


def by_fasttext(model: str, texts: Sequence[str]) -> np.ndarray:
    import fasttext

    found = fasttext.load_model(f"{model}/model.bin")
    scores = []
    for text in texts:
        labels, chances = found.predict(_line(text), k=CLASSES)
        scores.append(sum(int(label[-1]) * chance for label, chance in zip(labels, chances, strict=True)))
    return np.array(scores)


def train_static(table: pd.DataFrame, folder: Path) -> None:
    from model2vec.distill import distill
    from sklearn.linear_model import RidgeCV

    from assay.model import PACKAGED, locate_encoder

    static: Any = distill(locate_encoder(PACKAGED)[0], pca_dims=256)
    static.save_pretrained(str(folder / "words"))
    vectors = static.encode(table["text"].tolist())
    ridge = RidgeCV(np.logspace(-4, 3, 15)).fit(vectors, table["label"])
    np.savez(folder / "ridge.npz", weight=ridge.coef_, intercept=ridge.intercept_)


def by_static(model: str, texts: Sequence[str]) -> np.ndarray:
    from model2vec import StaticModel

    ridge = np.load(f"{model}/ridge.npz")
    return StaticModel.from_pretrained(f"{model}/words").encode(list(texts)) @ ridge["weight"] + ridge["intercept"]


def score(kind: str, model: str, texts: Sequence[str], tokens: int) -> np.ndarray:
    """Return the scores of texts."""
    if kind == "fasttext":
        return by_fasttext(model, texts)
    if kind == "static":
        return by_static(model, texts)
    if kind == "sentence-transformers":
        return by_sentence_transformers(model, texts, tokens)
    return by_loop(
        model, texts, tokens, 32 if kind == "sorted" else int(kind.removeprefix("loop-")), ordered=kind == "sorted"
    )


def main() -> None:
    """Train or score, as the arguments say."""
    doing, kind, *places = sys.argv[1:]
    if doing == "train":
        folder = Path(places[1])
        folder.mkdir(parents=True)
        {"fasttext": train_fasttext, "static": train_static}[kind](pd.read_parquet(places[0]), folder)
        return
    model, source, output, tokens = places
    table = pd.read_parquet(source)
    scores = score(kind, model, table["text"].tolist(), int(tokens)).astype(float)
    table.assign(score=scores).to_parquet(output)


if __name__ == "__main__":
    main()
