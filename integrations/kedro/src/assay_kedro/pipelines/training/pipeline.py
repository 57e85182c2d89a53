"""The training pipeline: the stages of `workflows/training.py`, in the same order."""

from kedro.pipeline import Pipeline, node

from assay_kedro.pipelines.training import nodes

REQUEST, LABELS = "params:training", "split_labels"


def training_pipeline() -> Pipeline:
    """Return the pipeline."""
    examined = [REQUEST, LABELS, "calibrated_model", "baselines", "curve", "seeds"]
    tracked = ["model", "registration", "tracker_run", "params:tracking"]
    fitted = ["trained_model", "curve", "tracker_run"]
    return Pipeline(
        [
            node(nodes.acquire_sources, REQUEST, "snapshots", name="acquire_sources"),
            node(nodes.validate_labels, [REQUEST, "snapshots"], "labels", name="validate_labels"),
            node(nodes.split_labels, [REQUEST, "labels"], LABELS, name="split_labels"),
            node(nodes.fit_baselines, [REQUEST, LABELS], "baselines", name="fit_baselines"),
            node(nodes.train, [REQUEST, LABELS, "params:tracking"], fitted, name="train"),
            node(nodes.calibrate_model, [REQUEST, LABELS, "trained_model"], "calibrated_model", name="calibrate_model"),
            node(nodes.measure_seeds, [REQUEST, LABELS], "seeds", name="measure_seeds"),
            node(nodes.evaluate, examined, "model", name="evaluate"),
            node(nodes.register, ["model", "params:registry"], "registration", name="register"),
            node(nodes.track, tracked, None, name="track"),
        ]
    )
