"""What guessing scores, beside which scores and controls are read."""


def chance(classes: int, metric: str) -> float:
    """Of K classes: 1/K of balanced accuracy, .5 of AUC, 0 of Matthews correlation.

    Tables take the K classes of the dataset: who draws one of them is right about each in one of K, also where a fold
    lacks some.
    """
    return {"balanced_accuracy": 1 / classes, "auc": 0.5, "mcc": 0.0}[metric]
