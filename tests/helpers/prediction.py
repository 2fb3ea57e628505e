"""Parameters of the prediction stage, for pictures of a few pixels."""

from graft.pipelines.prediction.parameters import PredictionParameters

PARAMETERS = PredictionParameters.model_validate(
    {
        "source": None, "classifier": "champion", "layer": None, "top": 2, "batch_size": 4,
        "max_pixels": 10_000, "seconds_per_picture": 20, "memory_mb": 500, "workers": 1,
        "imagenet": {
            "network": "MobileNetV2", "weights": "imagenet", "class_index": None, "image_size": 224
        },
    }
)  # fmt: skip
