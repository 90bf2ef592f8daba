# GRoIE: RoI features summed over all levels of the neck, a small network before and after; both extractors.
__extractor = dict(
    _delete_=True,
    type="GenericRoIExtractor",
    aggregation="sum",
    out_channels=256,
    featmap_strides=[4, 8, 16, 32],
    pre_cfg=dict(
        type="ConvModule",
        in_channels=256,
        out_channels=256,
        kernel_size=5,
        padding=2,
        inplace=False,
    ),
    post_cfg=dict(
        type="GeneralizedAttention",
        in_channels=256,
        spatial_range=-1,
        num_heads=6,
        attention_type="0100",
        kv_stride=2,
    ),
)
model = dict(
    roi_head=dict(
        bbox_roi_extractor=dict(
            __extractor, roi_layer=dict(type="RoIAlign", output_size=7, sampling_ratio=2)
        ),
        mask_roi_extractor=dict(
            __extractor, roi_layer=dict(type="RoIAlign", output_size=14, sampling_ratio=2)
        ),
    )
)
