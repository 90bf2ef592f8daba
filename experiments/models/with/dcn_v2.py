# Deformable convolutions v2 (modulated), which the paper cites; the authors ran v1 (dcn).
model = dict(
    backbone=dict(
        dcn=dict(type="DCNv2", deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True),
    )
)
