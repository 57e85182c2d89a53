"""A model folder: encoder and head, `assay.json`, the calibration of its scores, and the profile of its answers."""

from assay.model.calibration import CalibratedScores, Calibration
from assay.model.cut import Cut
from assay.model.encoder import PACKAGED, locate_encoder, quiet_transformers, refuse_own_code
from assay.model.info import (
    MEANING,
    REFIT,
    Aspect,
    Blend,
    Kind,
    ModelInfo,
    Precision,
    Windows,
    calibrated_info,
    require_distinct,
)
from assay.model.keep_target import AS_LABELLED, KeepTarget, require_own_scores
from assay.model.layers import train_last_layers
from assay.model.lexical_model import LexicalModel
from assay.model.pooling import carries_mean, mean_at_once
from assay.model.profile import PROFILED, Profile
from assay.model.quality_model import QualityModel, load_model, new_model, output_layer, save_model
from assay.model.rescale import rescale
from assay.model.thresholds import ThresholdCurve, require_promise

__all__ = [
    "AS_LABELLED",
    "MEANING",
    "PACKAGED",
    "PROFILED",
    "REFIT",
    "Aspect",
    "Blend",
    "CalibratedScores",
    "Calibration",
    "Cut",
    "KeepTarget",
    "Kind",
    "LexicalModel",
    "ModelInfo",
    "Precision",
    "Profile",
    "QualityModel",
    "ThresholdCurve",
    "Windows",
    "calibrated_info",
    "carries_mean",
    "load_model",
    "locate_encoder",
    "mean_at_once",
    "new_model",
    "output_layer",
    "quiet_transformers",
    "refuse_own_code",
    "require_distinct",
    "require_own_scores",
    "require_promise",
    "rescale",
    "save_model",
    "train_last_layers",
]
