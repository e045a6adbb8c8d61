"""Compares the counts of label files with the published ones; a difference is reported but is not an error."""


def compare_counts(source: str, published: dict[str, int], found: dict[str, int]) -> dict:
    """Describe the comparison for the card: the published numbers, their source, and those that differ here."""
    differences = {
        key: {"published": number, "found": int(found.get(key, 0))}
        for key, number in published.items()
        if number != found.get(key, 0)
    }
    return {"source": source, "counts": published, "differences": differences}


def describe_published(published: dict | None) -> str:
    """Describe the comparison in one line for the log."""
    if published is None:
        return "no published counts to compare with"
    if not published["differences"]:
        return f"counts as published ({published['source']})"
    parts = [f"{key} {pair['found']} instead of {pair['published']}" for key, pair in published["differences"].items()]
    return f"counts differ from the published ones ({published['source']}): {', '.join(parts)}"
