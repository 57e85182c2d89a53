"""Train a model, in one process or several; settings, recipes, checkpoints and calibration."""

from assay.training.calibrate import calibrate
from assay.training.config import RECIPES, TrainConfig, recipe
from assay.training.launch import launch
from assay.training.learning import Points, read_learning
from assay.training.lexical import fit_lexical
from assay.training.run import Curve, checkpoint_path, forget_checkpoint, run_name, train_model
from assay.training.stages import OF_A_PART, SHIPPED

__all__ = [
    "OF_A_PART",
    "RECIPES",
    "SHIPPED",
    "Curve",
    "Points",
    "TrainConfig",
    "calibrate",
    "checkpoint_path",
    "fit_lexical",
    "forget_checkpoint",
    "launch",
    "read_learning",
    "recipe",
    "run_name",
    "train_model",
]
