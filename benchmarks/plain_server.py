"""Serve a classifier with FastAPI and transformers in the simplest way, as the baseline of `benchmarks.serving`.

python -m benchmarks.plain_server MODEL --tokens 256 --port 3001
"""

import argparse
from typing import Any

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer


class Document(BaseModel):
    id: str
    text: str


class Request(BaseModel):
    documents: list[Document]


class Answer(BaseModel):
    id: str
    score: float


def make_app(model: str, tokens: int) -> FastAPI:
    """Return the server of a model folder. `tokens` is the longest input of the model, special tokens included."""
    tokenizer: Any = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    network = AutoModelForSequenceClassification.from_pretrained(model, trust_remote_code=False).eval()
    app = FastAPI()

    @app.get("/readyz")
    def ready() -> str:
        return "ready"

    @app.post("/score")
    def score(request: Request) -> list[Answer]:
        texts = [document.text for document in request.documents]
        batch = tokenizer(texts, truncation=True, max_length=tokens, padding=True, return_tensors="pt")
        with torch.inference_mode():
            scores = network(**batch).logits[:, 0].tolist()
        return [Answer(id=document.id, score=value) for document, value in zip(request.documents, scores, strict=True)]

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--port", type=int, default=3001)
    options = parser.parse_args()
    uvicorn.run(make_app(options.model, options.tokens), host="127.0.0.1", port=options.port, log_level="warning")
