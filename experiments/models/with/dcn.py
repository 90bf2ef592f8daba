# Deformable convolutions (v1, as the authors ran; the paper cites v2) in stages c3 to c5.
model = dict(
    backbone=dict(
        dcn=dict(type="DCN", deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True),
    )
)
