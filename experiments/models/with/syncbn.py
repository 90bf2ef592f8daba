# Batch statistics that train, over all processes: the authors' HTC and R3 rows of GC-Net, not the plain row.
model = dict(backbone=dict(norm_cfg=dict(type="SyncBN", requires_grad=True), norm_eval=False))
