"""Published numbers of images, classes and groups, for plans and requests that have no data yet."""

from .formats import cardium, imagenet, isic2019, mimic_cxr_lt

# Counted in the metadata of ISIC 2019; an image whose lesion is blank is a group of its own.
LESIONS = {"AK": 324, "BCC": 1310, "BKL": 1467, "DF": 113, "MEL": 1676, "NV": 8644, "SCC": 262, "VASC": 135}
PATIENTS = {"CHD": 74, "Non_CHD": 1029}  # CARDIUM's trimester_distribution.json
# The training part, read from the bars of figs/061322_log_mimic-lt_train.png in VITA-Group/LongTailCXR.
MIMIC_TRAINING = {
    "No Finding": 53260, "Lung Opacity": 7927, "Cardiomegaly": 5113, "Atelectasis": 4539, "Pleural Effusion": 3832,
    "Support Devices": 3279, "Edema": 2395, "Pneumonia": 2195, "Pneumothorax": 1172, "Lung Lesion": 1036,
    "Fracture": 791, "Enlarged Cardiomediastinum": 638, "Consolidation": 609, "Pleural Other": 254,
    "Calcification of the Aorta": 207, "Tortuous Aorta": 175, "Pneumoperitoneum": 32, "Subcutaneous Emphysema": 27,
    "Pneumomediastinum": 12,
}  # fmt: skip
PUBLISHED = {  # images of each class, and groups if they are known
    "isic2019": (isic2019.PUBLISHED_COUNTS, LESIONS),
    "cardium": (cardium.PUBLISHED_COUNTS, PATIENTS),
    "mimic_cxr_lt": (MIMIC_TRAINING, None),
}
PUBLISHED_SIZES = {
    "ct_rate": (22305, 13),  # rows of the published study's slice table; its finding classes
    "isic2019": (sum(isic2019.PUBLISHED_COUNTS.values()), len(isic2019.PUBLISHED_COUNTS)),
    "mimic_cxr_lt": (mimic_cxr_lt.PUBLISHED_COUNTS["images"], 19),
    "cardium": (sum(cardium.PUBLISHED_COUNTS.values()), len(cardium.PUBLISHED_COUNTS)),
    "imagenet": (imagenet.PUBLISHED_COUNTS["images"], imagenet.PUBLISHED_COUNTS["classes"]),
}


def published_size(entry: dict) -> tuple[int, int] | None:
    """Images and classes of a `datasets` entry, as published for its format; None if nothing was published."""
    if entry["format"] not in PUBLISHED_SIZES:
        return None
    images, classes = PUBLISHED_SIZES[entry["format"]]
    return min(images, entry.get("subset", {}).get("images", images)), classes


def published_classes(entry: dict) -> tuple[dict[str, float], dict[str, float], str, bool] | None:
    """Images and groups of each class of a `datasets` entry, their source, and whether they flatter.

    They flatter if groups are unknown (each image counts as one) or class sizes are (all classes count as equal).
    They are scaled to the whole collection, or to its `subset`. None if nothing was published.
    """
    size = published_size(entry)
    if size is None:
        return None
    images, classes = size
    if entry["format"] not in PUBLISHED:
        equal = {f"class {number}": images / classes for number in range(classes)}
        return equal, equal, "published count, classes taken to be equal", True
    counts, groups = PUBLISHED[entry["format"]]
    scale = images / sum(counts.values())
    scaled = {label: number * scale for label, number in counts.items()}
    if groups is None:
        return scaled, scaled, "published counts, groups not known", True
    return scaled, {label: number * scale for label, number in groups.items()}, "published counts", False
