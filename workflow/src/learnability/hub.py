"""Questions to the model hub that a check may ask: are files cached, or could they be fetched?"""

import os
from functools import cache


@cache  # hundreds of planned jobs ask for the same weights
def why_missing(repository: str, filenames: tuple[str, ...], revision: str | None) -> str | None:
    """Say why files of a hub repository cannot be had and what to do, or return None."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        cached = [isinstance(try_to_load_from_cache(repository, name, revision=revision), str) for name in filenames]
    except HFValidationError:
        return f"{repository} is neither a hub id (owner/name) nor a folder; begin a relative folder with ./"
    if all(cached):
        return None
    filename = filenames[cached.index(False)]
    fetch = " ".join(["`hf download", repository, *filenames, *(["--revision", revision] if revision else [])]) + "`"
    try:
        get_hf_file_metadata(hf_hub_url(repository, filename, revision=revision), timeout=5)
    except GatedRepoError:
        return f"{repository} is gated: accept its licence at https://huggingface.co/{repository}, then set HF_TOKEN"
    except OfflineModeIsEnabled:
        return f"{repository} is not in the local cache and the hub is switched off; run {fetch} where it is not"
    except HfHubHTTPError as error:
        if error.response is not None and error.response.status_code in (401, 403):
            token = "is refused" if "HF_TOKEN" in os.environ else "is not set"
            return (
                f"{repository} does not exist or needs a token, and HF_TOKEN {token}; check the id, or accept its "
                "licence on the hub and set it"
            )
        return f"{repository}/{filename} is not on the hub ({error}); check the id and the revision"
    except Exception as error:  # no network: every HTTP library has its own name for it
        return (
            f"{repository} is neither a folder nor in the local cache, and the hub cannot be reached "
            f"({type(error).__name__}); run {fetch} where it can, or give a local folder"
        )
    return None
