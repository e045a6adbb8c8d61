"""Counts of the label files beside the published ones: a difference is reported but is not an error."""


def compare_counts(source: str, published: dict[str, int], found: dict[str, int]) -> dict:
    """What the card says: where the published numbers come from, the numbers, and those that differ here."""
    differences = {
        key: {"published": number, "found": int(found.get(key, 0))}
        for key, number in published.items()
        if number != found.get(key, 0)
    }
    return {"source": source, "counts": published, "differences": differences}


def describe_published(published: dict | None) -> str:
    """One line for the log."""
    if published is None:
        return "no published counts to compare with"
    if not published["differences"]:
        return f"counts as published ({published['source']})"
    parts = [f"{key} {pair['found']} instead of {pair['published']}" for key, pair in published["differences"].items()]
    return f"counts differ from the published ones ({published['source']}): {', '.join(parts)}"
