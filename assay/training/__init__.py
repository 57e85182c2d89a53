"""Train a model, in one process or several; settings, recipes, checkpoints and calibration."""

from assay.training.calibrate import calibrate
from assay.training.config import RECIPES, TrainConfig, recipe
from assay.training.launch import launch
from assay.training.run import Curve, checkpoint_path, forget_checkpoint, run_name, train_model

__all__ = [
    "RECIPES",
    "Curve",
    "TrainConfig",
    "calibrate",
    "checkpoint_path",
    "forget_checkpoint",
    "launch",
    "recipe",
    "run_name",
    "train_model",
]
