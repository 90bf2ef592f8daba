"""mmcv's operators without a compiler: RoIAlign, NMS and deformable convolution. Imports nothing heavy."""
