"""The catalogue of experiments and the scales: read, checked, merged. Without torch and mmdet."""

from .chains import config_chain
from .scales import SCALES, Scale, load_scale
from .trainings import MODELS, PAPER, Catalogue, Training, Weights, load_catalogue

__all__ = [
    "MODELS",
    "PAPER",
    "SCALES",
    "Catalogue",
    "Scale",
    "Training",
    "Weights",
    "config_chain",
    "load_catalogue",
    "load_scale",
]
