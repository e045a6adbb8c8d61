"""The tests in a browser can fail: they see what is wrong in a page."""

from tests.chromium import ask, needs_chromium

PIXEL = 'data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"></svg>'


@needs_chromium
def test_errors_and_images_are_seen(tmp_path):
    page = tmp_path / "page.html"
    broken = "<script>throw new Error('boom')</script>"
    page.write_text(f"<html><body><img src='{PIXEL}'><img src='data:image/png;base64,AAAA'>{broken}</body></html>")
    folder = tmp_path / "copy"
    folder.mkdir()
    answer, console = ask(page, folder, "return {widths: [...document.images].map(image => image.naturalWidth)};")
    assert answer == {"widths": [1, 0]}
    assert console == ["Uncaught Error: boom"]
