"""What the warm process imports before any training is forked from it."""

import gc

import mmdet.models
import torch
from mmdet.utils import register_all_modules

import r3cnn.cli.main
import r3cnn.config.resolve
import r3cnn.evaluation.predict
import r3cnn.evaluation.score
import r3cnn.models
import r3cnn.training.trainer

torch.set_num_threads(1)
register_all_modules()
gc.freeze()  # or every child walks through all of it
__all__ = ["mmdet", "r3cnn", "torch"]
