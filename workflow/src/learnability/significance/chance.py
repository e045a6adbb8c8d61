"""What guessing scores, beside which scores and controls are read."""


def chance(classes: int, metric: str) -> float:
    """Of K classes: 1/K of balanced accuracy, .5 of AUC, 0 of Matthews correlation.

    K counts the classes of the dataset, of which a fold may lack some: who guesses is right about each in one of K.
    """
    return {"balanced_accuracy": 1 / classes, "auc": 0.5, "mcc": 0.0}[metric]
