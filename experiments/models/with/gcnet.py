# Global context blocks, ratio 1/4, after the third convolution of each block of c3 to c5.
model = dict(
    backbone=dict(
        plugins=[
            dict(
                cfg=dict(type="ContextBlock", ratio=1.0 / 4),
                stages=(False, True, True, True),
                position="after_conv3",
            )
        ]
    )
)
