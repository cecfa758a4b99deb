"""Saves the draft of a carousel or a post: its pictures, its document, and a page that shows them as the feed will."""

import asyncio
import html
import re
import unicodedata
from pathlib import Path
from string import Template
from typing import Any

from infra.local.demo_files import download
from shared.content.brand import load_brand

_PAGE = Path(__file__).with_name("demo_piece.html")
_MOST_SLUG_CHARS = 60
_WORDS: dict[str, dict[str, Any]] = {
    "pt-BR": {
        "note": "Rascunho gerado, ainda não aprovado.",
        "note_emulated": "Rascunho gerado, ainda não aprovado. Textos e imagens do emulador servem para testes.",
        "slides": "Imagens, uma a uma",
        "about": "Sobre este rascunho",
        "swipe": "deslize para o lado",
        "real": "foto da empresa",
        "generated": "sem foto da empresa",
        "model": "texto escrito pelo modelo",
        "typeset": "texto composto por nós",
        "facts": ("Nota da revisão", "Imagens com foto da empresa", "Legíveis à primeira", "Custo", "Modelos", "PDF"),
    },
    "en": {
        "note": "Generated draft, not approved yet.",
        "note_emulated": "Generated draft, not approved yet. Texts and pictures of the emulator are for testing.",
        "slides": "Pictures, one by one",
        "about": "About this draft",
        "swipe": "swipe to the side",
        "real": "photograph of the company",
        "generated": "no photograph of the company",
        "model": "words written by the model",
        "typeset": "words set by us",
        "facts": (
            *("Review score", "Pictures on a photograph of the company", "Readable at once"),
            *("Cost", "Models", "PDF"),
        ),
    },
}


async def save_piece(draft: dict[str, Any], platform: str, out: Path) -> list[Path]:
    """Writes the pictures, the PDF if there is one and preview.html into a folder of `out`; returns their paths."""
    slides: list[dict[str, Any]] = draft.get("slides") or draft["items"]
    folder = out / f"{platform.lower()}-{_slug(slides[0]['headline'])}"
    pictures = [folder / f"slide-{number}.png" for number in range(1, len(slides) + 1)]
    pdf = folder / "carousel.pdf" if draft.get("pdf_url") else None
    contents = await asyncio.gather(*(download(slide.get("image_url") or slide["url"]) for slide in slides))
    document = await download(draft["pdf_url"]) if pdf else b""
    page = folder / "preview.html"

    def write() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in zip(pictures, contents, strict=True):
            path.write_bytes(content)
        if pdf:
            pdf.write_bytes(document)
        page.write_text(_page(draft, platform, slides, [path.name for path in pictures], pdf))

    await asyncio.to_thread(write)
    return [page, *pictures, *([pdf] if pdf else [])]


def _page(
    draft: dict[str, Any], platform: str, slides: list[dict[str, Any]], files: list[str], pdf: Path | None
) -> str:
    words, metadata = _WORDS[draft["language"]], draft["generation_metadata"]
    emulated = "emulator" in metadata["models"].values()
    author = load_brand().personas[draft["persona"]].author.for_language(draft["language"])
    return Template(_PAGE.read_text()).substitute(
        language=draft["language"],
        title=html.escape(slides[0]["headline"]),
        draft_note=words["note_emulated" if emulated else "note"],
        author=html.escape(author),
        platform=platform,
        body=_post(draft, platform, slides, files, words["swipe"]),
        slides_heading=words["slides"],
        slides="\n".join(
            _figure(slide, told, file, words)
            for slide, told, file in zip(slides, metadata["slides"], files, strict=True)
        ),
        about_heading=words["about"],
        facts=_facts(metadata, words["facts"], pdf),
    )


def _post(draft: dict[str, Any], platform: str, slides: list[dict[str, Any]], files: list[str], swipe: str) -> str:
    """As the feed shows it: LinkedIn has the text above the pictures, Instagram below."""
    images = "".join(_image(slide, file) for slide, file in zip(slides, files, strict=True))
    hint = f'<p class="swipe">1 / {len(files)} · {swipe}</p>' if len(files) > 1 else ""
    strip = f'<div class="strip" tabindex="0">{images}</div>{hint}'
    text = html.escape(draft["caption"])
    if platform == "LinkedIn":
        return f'<p class="caption">{text}</p>{strip}'
    return f'{strip}<p class="caption after">{text}</p>'


def _figure(slide: dict[str, Any], told: dict[str, Any], file: str, words: dict[str, Any]) -> str:
    asset = told["asset"]
    origin = words[asset["origin"]]
    shown = f"{asset['title']} ({origin})" if asset.get("title") else origin
    return (
        f"<figure>{_image(slide, file)}<figcaption><b>{html.escape(shown)}</b> · {words[told['text_rendering']]}<br>"
        f"{html.escape(slide['alt_text'])}</figcaption></figure>"
    )


def _image(slide: dict[str, Any], file: str) -> str:
    size = f'width="{slide["width"]}" height="{slide["height"]}"'
    return f'<img src="{file}" alt="{html.escape(slide["alt_text"])}" {size}>'


def _facts(metadata: dict[str, Any], labels: tuple[str, ...], pdf: Path | None) -> str:
    of = metadata["slide_count"]
    values = (
        f"{metadata['quality_score']:g} / 100",
        f"{metadata['assets_used_count']} / {of}",
        f"{metadata['right_at_once_count']} / {of}",
        f"{metadata['cost_usd']:.4f} USD",
        html.escape(", ".join(sorted(set(metadata["models"].values())))),
        f'<a href="{pdf.name}">{pdf.name}</a>' if pdf else "–",
    )
    return "".join(f"<dt>{label}</dt><dd>{value}</dd>" for label, value in zip(labels, values, strict=True))


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:_MOST_SLUG_CHARS].strip("-")
