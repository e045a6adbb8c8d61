"""Tables: long frames with full precision, and their rendering in the paper's layout."""
