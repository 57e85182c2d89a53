"""The loop that fits a model, in one process or many.

An own loop of one page, and not `transformers.Trainer`, for three reasons: the loss of an update is normalised
over all documents of all processes (Trainer averages the means of processes and of accumulated pieces, which
differ in size here); the forward pass is `assay.inference`'s, windows and all, so that what is trained is what is
scored; and a run goes on from any update without a word about random state, because nothing in it is random but
the order, which is a function of seed and epoch.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from assay.errors import InputError
from assay.inference import EncodedText, document_scores, encode, token_budget_batches
from assay.model import ModelInfo, QualityModel, new_model, output_layer, train_last_layers
from assay.progress import counter, say
from assay.training.checkpoint import Checkpoint
from assay.training.config import TrainConfig
from assay.training.energy import EnergyMeter
from assay.training.joint import JointLoss, label_matrix, shares
from assay.training.plan import batch_of, joint_weights, share_of, steps_per_epoch, updates_of

Record = dict[str, float]
"""One update: step, epoch, loss, learning_rate, gradient_norm, tokens, padding, seconds, processor_seconds; joules
where the machines count them."""


@dataclass(frozen=True)
class Fitted:
    """What a run gives."""

    model: QualityModel
    history: list[Record]
    """All updates, those before a resumption included."""
    resumed_at: int
    """Update at which this process took the run up; 0 where it began it."""


def fit(
    texts: Sequence[str],
    labels: np.ndarray,
    info: ModelInfo,
    config: TrainConfig,
    *,
    weights: np.ndarray | None = None,
    checkpoint: Checkpoint | None = None,
    on_update: Callable[[Record], None] | None = None,
) -> Fitted:
    """Fit a new model to labels of shape (n,), or (n, rubrics) with NaN where a document lacks a rubric's label.

    `weights`, above 0, have the labels' shape; without them all count alike. Under torchrun each process calls this
    with the same arguments and gets the same model. The loss is that of `config.loss`, weighted by these; the scale
    of the labels is folded into the last layer at the end, so that the saved network speaks in labels. Rubrics count
    alike, whatever the number of their labels (`shares`). `on_update` is called on rank 0 only. Raises InputError for
    labels that cannot be learned from.
    """
    label_DR = label_matrix(labels, info, len(texts))
    with _Processes() as processes:
        weight_DR = joint_weights(label_DR, weights)
        return _fit(texts, label_DR, weight_DR, info, config, processes, checkpoint, on_update)


class _Processes:
    """This process among those that torchrun started; one alone where it did not."""

    def __init__(self) -> None:
        self.rank = int(os.environ.get("RANK", "0"))
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.local = int(os.environ.get("LOCAL_RANK", "0"))
        self.device = torch.device(f"cuda:{self.local}" if torch.cuda.is_available() else "cpu")

    def __enter__(self) -> "_Processes":
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)  # NCCL would open every process's context on the first GPU
        self.owns_group = self.count > 1 and not dist.is_initialized()
        if self.owns_group:
            # The agent hands one store to all attempts: without a prefix of its own, a restarted group finds the
            # addresses of the dead one, and fails with "connection refused".
            store, rank, count = next(rendezvous("env://"))
            attempt = PrefixStore(f"attempt-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
            backend = "nccl" if self.device.type == "cuda" else "gloo"
            dist.init_process_group(backend, store=attempt, rank=rank, world_size=count)
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        if self.owns_group:
            if kind is None:
                dist.barrier()
            dist.destroy_process_group()

    def add_gradients(self, criterion: nn.Module) -> None:
        """Of all processes, for the few weights that DistributedDataParallel knows nothing of."""
        for parameter in criterion.parameters():
            if self.count > 1 and parameter.grad is not None:
                dist.all_reduce(parameter.grad)
                parameter.grad /= self.count  # the loss was multiplied by it, see `_backward`

    def sum(self, value: float) -> float:
        if self.count == 1:
            return value
        total = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return float(total)


def _parameter_groups(parameters: Sequence[nn.Parameter], config: TrainConfig) -> list[dict[str, object]]:
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]


def _learning_rate(config: TrainConfig, step: int, steps: int) -> float:
    """Linear warmup, then linear decay to zero."""
    warmup = max(1, round(config.warmup * steps))
    return config.learning_rate * min((step + 1) / warmup, (steps - step) / max(1, steps - warmup))


def _autocast(config: TrainConfig, device: torch.device) -> torch.autocast:
    auto = device.type == "cuda" and torch.cuda.is_bf16_supported()
    use = config.precision == "bf16" or (config.precision == "auto" and auto)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=use)


def _fit(
    texts: Sequence[str],
    label_DR: np.ndarray,
    given_DR: np.ndarray,
    info: ModelInfo,
    config: TrainConfig,
    processes: _Processes,
    checkpoint: Checkpoint | None,
    on_update: Callable[[Record], None] | None,
) -> Fitted:
    model = new_model(info, seed=config.seed)
    # Without the encoder's dropout: it gained nothing (benchmarks/RESULTS.md) and doubled the time on CPUs, and one
    # process and many would draw differently.
    network = model.network.to(processes.device).eval()
    head = output_layer(network)
    if config.trained_layers is not None:
        train_last_layers(network, config.trained_layers)
    criterion = JointLoss(config.loss, label_DR, info).to(processes.device)
    weight_DR = torch.tensor(given_DR, dtype=torch.float32)
    if model.trained_head:
        # It speaks in labels: taken back to what the loss compares, so that the first update need not learn that anew.
        slope, shift = (scale.to(processes.device) for scale in criterion.scale())
        with torch.no_grad():
            head.weight.div_(slope[:, None])
            head.bias.sub_(shift).div_(slope)
    groups = _parameter_groups([*network.parameters(), *criterion.parameters()], config)
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
    total = updates_of(len(texts), config.batch_documents, config.epochs, config.least_updates)
    history: list[Record] = []

    # Every process reads the same file before the first update, and only rank 0 writes, after one.
    state = checkpoint.load() if checkpoint else None
    if state:
        network.load_state_dict(state["network"])
        criterion.load_state_dict(state["criterion"])
        optimizer.load_state_dict(state["optimizer"])
        history = list(state["history"])
        if processes.rank == 0:
            say(f"goes on from update {len(history)} of {total}, where a former run was stopped")
    resumed_at = len(history)
    wrapped = DistributedDataParallel(network) if processes.count > 1 else network

    meter = EnergyMeter.of_machine() if processes.local == 0 else None
    lengths = [min(len(text), 6 * config.windows.tokens * config.windows.count) for text in texts]
    encoded: dict[int, EncodedText] = {}
    with counter(total=total, unit=" updates", what="training") if processes.rank == 0 else nullcontext() as shown:
        if shown is not None:
            shown.update(resumed_at)
        for step in range(resumed_at, total):
            started, worked = time.monotonic(), time.process_time()
            batch = batch_of(step, len(texts), config.batch_documents, config.seed)
            mine = share_of(processes.rank, processes.count, batch, lengths)
            # A process without a document still has to answer the others' all-reduce: it learns nothing from one.
            silent = len(mine) == 0
            mine = batch[:1] if silent else mine
            _encode_new(encoded, mine, texts, model)
            documents = [encoded[i] for i in mine.tolist()]
            share_DR = shares(weight_DR, mine, batch) * (0.0 if silent else 1.0)

            for group in optimizer.param_groups:
                group["lr"] = _learning_rate(config, step, total)
            loss, padded = _backward(
                wrapped,
                criterion,
                documents,
                mine,
                share_DR,
                config,
                processes,
                model.tokenizer.pad_token_id or 0,
            )
            processes.add_gradients(criterion)
            norm = nn.utils.clip_grad_norm_(network.parameters(), config.clip)
            optimizer.step()
            optimizer.zero_grad()

            tokens = processes.sum(0 if silent else sum(len(w) for document in documents for w in document.windows))
            padded = int(processes.sum(0 if silent else padded))
            loss = processes.sum(loss)
            if not np.isfinite(loss):
                raise InputError(f"the loss is {loss} at update {step}", fix="Lower the learning rate, or use fp32")
            record: Record = {
                "step": step,
                "epoch": (step + 1) / steps_per_epoch(len(texts), config.batch_documents),
                "loss": loss,
                "learning_rate": _learning_rate(config, step, total),
                "gradient_norm": float(norm),
                "tokens": tokens,
                "padding": 1 - tokens / padded,
                "seconds": time.monotonic() - started,
                "processor_seconds": processes.sum(time.process_time() - worked),
            }
            # One process of each machine reads its counters; where a machine has none, nothing is said of the whole.
            used = meter.joules() if meter else 0.0
            joules = processes.sum(float("nan") if used is None else used)
            if np.isfinite(joules):
                record["joules"] = joules
            history.append(record)
            if shown is not None:
                shown.set_postfix(loss=f"{np.mean([r['loss'] for r in history[-20:]]):.3f}", refresh=False)
                shown.update(1)
                if on_update:
                    on_update(record)
                done = step + 1 == total
                if checkpoint and (done or (step + 1) % config.checkpoint_updates == 0):
                    checkpoint.save(
                        {
                            "network": network.state_dict(),
                            "criterion": criterion.state_dict(),
                            "optimizer": optimizer.state_dict(),
                            "history": history,
                        }
                    )

    slope, shift = criterion.scale()
    with torch.no_grad():
        head.weight.mul_(slope.to(processes.device)[:, None])
        head.bias.mul_(slope.to(processes.device)).add_(shift.to(processes.device))
    network.requires_grad_(True).eval()
    return Fitted(model, history, resumed_at)


def _encode_new(encoded: dict[int, EncodedText], wanted: np.ndarray, texts: Sequence[str], model: QualityModel) -> None:
    """Tokenize what this process meets for the first time."""
    new = [i for i in wanted.tolist() if i not in encoded]
    encoded.update(zip(new, encode(model.tokenizer, [texts[i] for i in new], model.info.windows), strict=True))


def _backward(
    network: nn.Module,
    criterion: JointLoss,
    documents: Sequence[EncodedText],
    rows: np.ndarray,
    share_DR: torch.Tensor,
    config: TrainConfig,
    processes: _Processes,
    padding: int,
) -> tuple[float, int]:
    """Accumulate this process's gradient; returns (its part of the batch's loss, padded tokens).

    `rows` are the documents' numbers, `share_DR` their shares in the whole batch's loss. DistributedDataParallel takes
    the mean of the processes' gradients where the sum is wanted, hence the factor.
    """
    sizes = [len(document.windows) * max(len(window) for window in document.windows) for document in documents]
    pieces = token_budget_batches(sizes, config.batch_tokens)
    total, padded = 0.0, 0
    for number, piece in enumerate(pieces):
        last = number + 1 == len(pieces)
        wait = nullcontext() if last or processes.count == 1 else network.no_sync()  # type: ignore[operator]
        with wait:
            with _autocast(config, processes.device):
                score_DR = document_scores(network, [documents[i] for i in piece], padding, processes.device)
            error_DR = criterion.errors(score_DR, rows[piece])
            loss = (error_DR * share_DR[piece].to(processes.device)).sum()
            (loss * processes.count).backward()
        total += float(loss.detach())
        chosen = [documents[i] for i in piece]
        padded += sum(len(d.windows) for d in chosen) * max(len(w) for d in chosen for w in d.windows)
    return total, padded
