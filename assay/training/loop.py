"""The training loop, in one process or several.

It is not `transformers.Trainer`, for three reasons. The loss of an update is normalised over all documents of all
processes; Trainer averages the means of processes and of accumulated pieces, which differ in size here. The forward
pass with its windows is that of `assay.inference`, so that training and scoring compute the same. A run can resume
after any update without a random state: only the order of documents is random, and it is a function of seed and epoch.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from assay.errors import InputError
from assay.inference import EncodedText, document_scores, encode, token_budget_batches
from assay.model import (
    ModelInfo,
    QualityModel,
    carries_mean,
    mean_at_once,
    new_model,
    output_layer,
    train_last_layers,
)
from assay.progress import counter, say
from assay.training.checkpoint import Checkpoint
from assay.training.config import TrainConfig
from assay.training.energy import EnergyMeter
from assay.training.fitted import Fitted, Record
from assay.training.joint import JointLoss, batch_weight, label_matrix, relative_weights, shares
from assay.training.plan import batch_of, joint_weights, learning_rate, share_of, steps_per_epoch, updates_of
from assay.training.processes import Processes


def fit(
    texts: Sequence[str],
    labels: np.ndarray,
    info: ModelInfo,
    config: TrainConfig,
    *,
    weights: np.ndarray | None = None,
    checkpoint: Checkpoint | None = None,
    on_update: Callable[[Record], None] | None = None,
) -> Fitted[QualityModel]:
    """Fit a new model to labels of shape (n,), or (n, rubrics) with NaN for a missing label.

    `weights`, above 0, have the shape of the labels; without them all labels have the same weight. Under torchrun, each
    process calls this with the same arguments and gets the same model. The loss is that of `config.loss`. A document
    counts in it by its weight relative to the mean of all weights, whatever else is in its batch.
    The scale of the labels is folded into the last layer at the end, so that the outputs of the saved network are on
    the scale of the labels. All rubrics have the same weight, whatever the number of their labels (`shares`).
    `on_update` is called on rank 0 only. Raise InputError for unusable labels, and for a loss that is not finite.
    """
    label_DR = label_matrix(labels, info, len(texts))
    with Processes() as processes:
        weight_DR = joint_weights(label_DR, weights)
        model = new_model(info, seed=config.seed, mean=config.pooling == "mean")
        if config.trained_layers is not None:
            train_last_layers(model.network, config.trained_layers + carries_mean(model.network))
        with mean_at_once(model.network, as_trained=True):
            fitted = _fit(texts, label_DR, weight_DR, model, config, processes, checkpoint, on_update)
        model.network.requires_grad_(True).eval()
        return fitted


def _parameter_groups(parameters: Sequence[nn.Parameter], config: TrainConfig) -> list[dict[str, object]]:
    """Return the trained weights in two groups: matrices with weight decay, vectors without."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    return [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]


def _autocast(config: TrainConfig, device: torch.device) -> torch.autocast:
    """Return the context of the forward pass, in bf16 if configured."""
    auto = device.type == "cuda" and torch.cuda.is_bf16_supported()
    use = config.precision == "bf16" or (config.precision == "auto" and auto)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=use)


def _fit(
    texts: Sequence[str],
    label_DR: np.ndarray,
    given_DR: np.ndarray,
    model: QualityModel,
    config: TrainConfig,
    processes: Processes,
    checkpoint: Checkpoint | None,
    on_update: Callable[[Record], None] | None,
) -> Fitted[QualityModel]:
    # `eval` switches the dropout of the encoder off: it gained nothing (benchmarks/RESULTS.md), doubled the time on
    # CPUs, and one process and several would draw different numbers.
    network = model.network.to(processes.device).eval()
    head = output_layer(network)
    criterion = JointLoss(config.loss, label_DR, model.info).to(processes.device)
    weight_DR = relative_weights(torch.tensor(given_DR, dtype=torch.float32))
    if model.trained_head:
        # The outputs are on the scale of the labels. Undo that, because the loss has a scale of its own: otherwise the
        # first updates would have to learn it again.
        slope, shift = (scale.to(processes.device) for scale in criterion.scale())
        with torch.no_grad():
            head.weight.div_(slope[:, None])
            head.bias.sub_(shift).div_(slope)
    groups = _parameter_groups([*network.parameters(), *criterion.parameters()], config)
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
    total = updates_of(len(texts), config.batch_documents, config.epochs, config.least_updates)
    full = min(config.batch_documents, len(texts))
    history: list[Record] = []

    # Every process reads the same file before the first update, and only rank 0 writes, after one.
    state = checkpoint.load() if checkpoint else None
    if state:
        network.load_state_dict(state["network"])
        criterion.load_state_dict(state["criterion"])
        optimizer.load_state_dict(state["optimizer"])
        history = list(state["history"])
        if processes.rank == 0:
            say(f"resumed from update {len(history)} of {total}, where an earlier run was stopped")
    resumed_at = len(history)
    wrapped = DistributedDataParallel(network) if processes.count > 1 else network

    # Counters belong to a machine, so that one process of each machine reads them.
    meter = EnergyMeter.of_machine() if processes.local == 0 else None
    # Lengths in characters, as most texts are not tokenized yet; at most 6 for each token that the windows can read.
    lengths = [min(len(text), 6 * config.windows.tokens * config.windows.count) for text in texts]
    encoded: dict[int, EncodedText] = {}
    with counter(total=total, unit=" updates", what="training") if processes.rank == 0 else nullcontext() as shown:
        if shown is not None:
            shown.update(resumed_at)
        for step in range(resumed_at, total):
            started, worked = time.monotonic(), time.process_time()
            batch = batch_of(step, len(texts), config.batch_documents, config.seed)
            mine = share_of(processes.rank, processes.count, batch, lengths)
            # A process without documents must still take part in the all-reduce: it gets one, with weight 0.
            silent = len(mine) == 0
            mine = batch[:1] if silent else mine
            _encode_new(encoded, mine, texts, model)
            documents = [encoded[i] for i in mine.tolist()]
            share_DR = shares(weight_DR, mine, batch, full) * (0.0 if silent else 1.0)

            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config, step, total)
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
            loss = processes.sum(loss) / batch_weight(weight_DR, batch, full)
            if not np.isfinite(loss):
                raise InputError(f"the loss is {loss} at update {step}", fix="Lower the learning rate, or use fp32")
            record: Record = {
                "step": step,
                "epoch": (step + 1) / steps_per_epoch(len(texts), config.batch_documents),
                "loss": loss,
                "learning_rate": learning_rate(config, step, total),
                "gradient_norm": float(norm),
                "tokens": tokens,
                "padding": 1 - tokens / padded,
                "seconds": time.monotonic() - started,
                "processor_seconds": processes.sum(time.process_time() - worked),
            }
            # NaN of a machine without counters makes the sum NaN: a part must not be mistaken for the whole.
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
    return Fitted(model, history, resumed_at)


def _encode_new(encoded: dict[int, EncodedText], wanted: np.ndarray, texts: Sequence[str], model: QualityModel) -> None:
    """Tokenize the documents that this process has not tokenized yet."""
    new = [i for i in wanted.tolist() if i not in encoded]
    encoded.update(zip(new, encode(model.tokenizer, [texts[i] for i in new], model.info.windows), strict=True))


def _backward(
    network: nn.Module,
    criterion: JointLoss,
    documents: Sequence[EncodedText],
    rows: np.ndarray,
    share_DR: torch.Tensor,
    config: TrainConfig,
    processes: Processes,
    padding: int,
) -> tuple[float, int]:
    """Accumulate the gradient of this process, and return (its part of the batch's loss, padded tokens).

    `rows`: numbers of the documents; `share_DR`: their shares in the loss of the whole batch.
    """
    sizes = [len(document.windows) * max(len(window) for window in document.windows) for document in documents]
    pieces = token_budget_batches(sizes, config.batch_tokens)
    total, padded = 0.0, 0
    for number, piece in enumerate(pieces):
        last = number + 1 == len(pieces)
        # Processes exchange gradients once, after the last piece.
        wait = nullcontext() if last or processes.count == 1 else network.no_sync()  # type: ignore[operator]
        with wait:
            with _autocast(config, processes.device):
                score_DR = document_scores(network, [documents[i] for i in piece], padding, processes.device)
            error_DR = criterion.errors(score_DR, rows[piece])
            loss = (error_DR * share_DR[piece].to(processes.device)).sum()
            # DistributedDataParallel averages the gradients of the processes, but the sum is needed.
            (loss * processes.count).backward()
        total += float(loss.detach())
        chosen = [documents[i] for i in piece]
        padded += sum(len(d.windows) for d in chosen) * max(len(w) for d in chosen for w in d.windows)
    return total, padded
