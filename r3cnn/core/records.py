"""Keys and columns of the result files; writers and readers take the names from here."""

from typing import Any, TypedDict

KINDS = ("bbox", "segm")
METRICS = (
    "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
# AP at each of COCO's ten IoU thresholds, in percent; two of them are among the twelve.
IOU_PERCENT = tuple(range(50, 100, 5))
AP_AT_IOU = tuple(f"AP{percent}" for percent in IOU_PERCENT)
# Mask AP by size where a detection's size is its box's area, as the paper's own code has it.
BY_BOX_AREA = {f"AP{size}": f"AP{size}_box_area" for size in "sml"}
# What is computed of boxes and of masks, and what of it on resampled images too.
RESAMPLED = (*METRICS, *(name for name in AP_AT_IOU if name not in METRICS))
SCORED = {"bbox": RESAMPLED, "segm": (*RESAMPLED, *BY_BOX_AREA.values())}

# iou_histogram.csv: the assignments before and after a loop's refinement, which boxes are counted,
# and bins of IoU 0.05.
BINS = 20
ASSIGNMENTS = ("box", "mask")
VIEWS = ("candidates", "sampled", "positives")
HISTOGRAM_COLUMNS = ("epoch", "loop", "assignment", "view", "iou_low", "iou_high", "count")

# predictions/<id>/seed<k>.parquet: one row a detection; boxes in pixels of the original image.
PREDICTION_COLUMNS = {
    "loops": "int16",
    "image_id": "int64",
    "category_id": "int64",
    "score": "float32",
    "mask_score": "float32",  # score x predicted mask IoU if the model predicts one
    "x": "float32",
    "y": "float32",
    "width": "float32",
    "height": "float32",
    "mask_height": "int32",
    "mask_width": "int32",
    "mask_counts": "binary",  # compressed run lengths, as pycocotools writes them
}
# What a resolved config says of its training, and every result repeats.
TRAINING_FACTS = ("training", "seed", "scale", "schedule", "loops_trained")
# Where a Parquet file holds the facts about its run, as JSON.
FACTS_KEY = b"r3cnn"
# What must be equal in two files of resamples for their rows to be of the same drawn images.
PAIRING = ("annotations_sha256", "resampled_images", "resamples", "resample_seed")
RESAMPLE = "resample"


class Provenance(TypedDict, total=False):
    """Which software and device made a result."""

    source_sha256: str
    source_scheme: int
    git_commit: str | None
    versions: dict[str, str]
    device: str
    operators: str  # which back end of mmcv's operators
    gpu_software: dict[str, str]  # versions of CUDA, cuDNN, NCCL and the driver; none without a GPU
    tf32: dict[str, bool]  # whether matrix products and convolutions may be rounded to TF32


class DataFacts(TypedDict, total=False):
    """What a training's config says of its data."""

    root: str
    classes: int
    train_sha256: str
    train_images: int
    train_image_bytes: int
    val_sha256: str
    val_images: int
    val_image_bytes: int


class Split(TypedDict, total=False):
    """One split of data.json."""

    sha256: str
    image_count: int
    image_bytes: int
    annotation_count: int
    object_count: int
    crowd_count: int
    images_without_objects: int
    trained_images: int  # of train: those that mmdet's data set holds
    left_out: dict[str, int]  # reason -> how many annotations or images
    warnings: list[str]


class Data(TypedDict, total=False):
    """data.json."""

    root: str
    generated: bool
    classes: list[str]
    splits: dict[str, Split]


class Settings(TypedDict, total=False):
    """settings.json: the keys of --config that were given, and the ids of the catalogue."""

    scale: str
    data: str
    catalogue: str
    backbone: str
    results: str
    seeds: str
    trainings: list[str]


class Attempt(Provenance, total=False):
    """What one attempt at a training ran on and cost."""

    start: str
    end: str
    seconds: float
    process_seconds: float
    cpu_seconds: float
    peak_mb: float
    host: str


class GivenWeights(TypedDict):
    """Where weights come from that were not trained here."""

    source: str
    sha256: str


class Manifest(Provenance, total=False):
    """manifest.json of a training."""

    training: str
    trained_as: str
    seed: int
    scale: str
    schedule: str
    loops_trained: int
    config_sha256: str
    world_size: int
    batch: int
    lr: float
    data: DataFacts | None
    weights: GivenWeights
    iterations: int
    epochs: int
    start: str
    end: str
    attempts: list[Attempt]
    seconds: float


class Score(TypedDict, total=False):
    """scores/<id>/seed<k>/loops<n>.json: metrics from 0 to 1, null if there is no such object.

    Version 0.1 wrote COCO's twelve metrics alone.
    """

    training: str
    seed: int
    loops: int
    images: int
    bbox: dict[str, float | None]
    segm: dict[str, float | None]
    provenance: dict[str, Any]


# loops<n>.errors.json: TIDE's kinds of errors, in its order; curves at these IoUs in percent; the confusion
# matrix counts detections of this score and more.
TIDE = ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss")
CURVES_AT = (50, 75, 90)
CONFUSION_SCORE = 0.3


class Tide(TypedDict):
    """What went wrong at IoU 0.5: AP50, what it would gain without each kind of error, and how many there are."""

    AP50: float
    gain: dict[str, float]
    count: dict[str, int]


class Calibration(TypedDict):
    """Scores and the share of hits at IoU 0.5: expected and largest gap; [score, share, count] by bin."""

    expected: float
    largest: float
    bins: list[list[float]]


class KindErrors(TypedDict):
    """Of boxes or of masks. classes: AP, AP50, AP75 by class, in the order of Errors.classes.

    precision: at recall 0, 0.01 ... 1 by IoU in percent, the mean over classes. confusion: rows are the objects'
    classes, columns the detections', the last one of each is nothing.
    """

    tide: Tide
    classes: list[dict[str, float | None]]
    precision: dict[str, list[float | None]]
    confusion: list[list[int]]
    calibration: Calibration | None  # of scores that are probabilities


class Errors(TypedDict):
    """scores/<id>/seed<k>/loops<n>.errors.json."""

    training: str
    seed: int
    loops: int
    classes: list[str]
    confusion_score: float
    bbox: KindErrors | None
    segm: KindErrors | None


class Latency(TypedDict):
    """Seconds of an image: the mean, and what half and 95 % of the images stay within."""

    mean: float
    p50: float
    p95: float


class Speed(TypedDict, total=False):
    """How fast one L_e is, image by image; version 0.1 wrote no latency."""

    images_per_second: float
    images: int
    latency_seconds: Latency


class Measurement(Provenance, total=False):
    """measurements/<id>.json."""

    training: str
    parameters: dict[str, Any]
    checkpoint: dict[str, int]
    multiply_adds: dict[str, dict[str, Any]]  # by L_e: total, and by module
    memory: dict[str, Any]
    speed: dict[str, Speed]  # by L_e
    alone: bool
    scale: str
    data: DataFacts | None
    end: str
