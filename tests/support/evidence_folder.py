"""A small folder of evidence, as the commands write it."""

from pathlib import Path

from tests.support.image_files import png, ramp

SVG = (
    '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="90pt" height="60pt" '
    'viewBox="0 0 90 60"><rect width="90" height="60" fill="#fff"/><path d="M5 55 L85 5" '
    'stroke="#000"/><script>document.title = "ran"</script></svg>'
)
CLAIMS = """\
| claim | measured | required | verdict |
|---|---|---|---|
| DDNM above the best filter | +1.32 dB | +1.00 dB | met |
| Enlarged above bicubic | +0.41 dB | +1.00 dB | **MISSED** |
| UniMIE above CLAHE | | > 0 | not run |
"""
WIDE = """\
| | PSNR ↑ | SSIM ↑ | VIF ↑ | MS-SSIM ↑ | NMSE ↓ | PIQE ↓ | entropy | calls |
|---|---|---|---|---|---|---|---|---|
| Non-local means, best of five | 31.52 ± 2.31 | 0.861 ± 0.062 | 0.431 ± 0.051 | 0.911 ± 0.102 \
| 0.012 ± 0.003 | 43.2 ± 4.1 | 6.91 ± 0.21 | 0 |
| DDNM, mean of eight samples | **33.02 ± 2.01** | **0.891 ± 0.055** | **0.482 ± 0.052** \
| **0.941 ± 0.091** | **0.009 ± 0.002** | 45.2 ± 4.1 | 6.51 ± 0.31 | 64 |
"""
EVIDENCE = f"""\
# How good is it?

Measured; see [denoising](#denoising) and [the figures](benchmarks.md). {{{{value}}}} ${{1+1}}

## What is claimed

{CLAIMS}
## Denoising

Does it help against noise?

```
python -m benchmarks evidence --data DIR --only denoise
```

### σ = 0.1

{WIDE}
![Differences, image by image](differences.svg)
![Worst case](worst.png)

## Where each method fails

- **SRAD** blurs texture.
"""
BENCHMARKS = "# Benchmarks\n\n## Memory\n\n| figure | measured |\n|---|---|\n| growth | 0 MB |\n"


def write_folder(folder: Path) -> Path:
    """Write the folder; segmentation and ingredients were not measured there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evidence.md").write_text(EVIDENCE, encoding="utf-8")
    (folder / "benchmarks.md").write_text(BENCHMARKS, encoding="utf-8")
    (folder / "evidence.json").write_text("{}")
    (folder / "differences.svg").write_text(SVG)
    (folder / "worst.png").write_bytes(png(ramp()))
    return folder
