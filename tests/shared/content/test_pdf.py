"""The carousel's document, opened again as a reader opens it."""

from io import BytesIO
from typing import Any

import pikepdf
import pypdfium2
import pytest
from PIL import Image, ImageChops, ImageDraw

from shared.content import pdf as pdf_module
from shared.content.pdf import DocumentRefused, carousel_pdf

TALL, SQUARE = (1080, 1350), (1080, 1080)
TITLE, AUTHOR = "Usinagem de precisão: “Ra < 0,1 µm” 🦴", "Lifetrek Medical"


def drawn(size: tuple[int, int] = TALL, mode: str = "RGB", background: str = "#004F8F") -> Image.Image:
    """A picture with fine lines, in which any loss shows."""
    image = Image.new("RGB", size, background)
    draw = ImageDraw.Draw(image)
    for place in range(0, size[0], 7):
        draw.line([(place, 0), (size[0] - place, size[1])], fill=(place % 256, 120, 24))
    draw.rectangle([200, 300, 700, 500], fill="white")
    return image.convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    written = BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def document(*pages: bytes, **options: Any) -> bytes:
    return carousel_pdf(pages, TITLE, AUTHOR, "pt-BR", **options)


def rendered(content: bytes) -> list[Image.Image]:
    """Each page as it is shown at one pixel a point."""
    with pypdfium2.PdfDocument(content) as opened:
        return [page.render(scale=1).to_pil().convert("RGB") for page in opened]


def greatest_difference(one: Image.Image, other: Image.Image) -> int:
    bands: Any = ImageChops.difference(one, other).getextrema()
    return max(high for _, high in bands)


@pytest.mark.parametrize("size", [TALL, SQUARE])
def test_pages_have_the_pictures_size_and_their_order(size):
    pictures = [drawn(size, background=colour) for colour in ("#004F8F", "#1A7A3E", "#F07818")]
    pages = rendered(document(*(encoded(picture) for picture in pictures)))
    assert [page.size for page in pages] == [size] * 3
    assert [greatest_difference(page, picture) for page, picture in zip(pages, pictures, strict=True)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("mode", "options"),
    [("RGB", {}), ("RGB", {"optimize": True}), ("L", {}), ("P", {}), ("1", {}), ("RGBA", {})],
)
def test_every_png_is_shown_without_loss(mode, options):
    source = encoded(drawn(mode=mode), **options)
    expected = Image.open(BytesIO(source)).convert("RGB")
    assert greatest_difference(rendered(document(source))[0], expected) == 0


def test_data_of_a_jpeg_and_of_a_plain_png_is_taken_over_as_it_is():
    jpeg, png = encoded(drawn(), "JPEG", quality=80), encoded(drawn())
    content = document(jpeg, png)
    assert jpeg in content
    assert len(content) < len(jpeg) + len(png) + 5_000
    with pikepdf.open(BytesIO(content)) as opened:
        assert [str(page.Resources.XObject.Picture.Filter) for page in opened.pages] == ["/DCTDecode", "/FlateDecode"]


def test_a_jpeg_in_cmyk_and_one_held_on_its_side_are_shown_upright_and_in_their_colours():
    cmyk = encoded(drawn().convert("CMYK"), "JPEG", quality=95)
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways = encoded(drawn().rotate(90, expand=True), "JPEG", quality=100, subsampling=0, exif=exif)
    for page in rendered(document(cmyk, sideways)):
        assert page.size == TALL
        bands: Any = page.crop((300, 350, 600, 450)).getextrema()
        assert min(low for low, _ in bands) > 240, "the white rectangle is where it was drawn"


def test_transparency_becomes_white():
    picture = Image.new("RGBA", SQUARE, (0, 79, 143, 0))
    assert rendered(document(encoded(picture)))[0].getpixel((5, 5)) == (255, 255, 255)


def test_title_author_and_language_can_be_read():
    with pikepdf.open(BytesIO(document(encoded(drawn())))) as opened:
        assert (str(opened.docinfo.Title), str(opened.docinfo.Author)) == (TITLE, AUTHOR)
        assert str(opened.Root.Lang) == "pt-BR"
        with opened.open_metadata() as metadata:
            assert (metadata["dc:title"], metadata["dc:creator"]) == (TITLE, [AUTHOR])
            assert set(metadata["dc:language"]) == {"pt-BR"}
        assert opened.check_pdf_syntax() == []
    with pypdfium2.PdfDocument(document(encoded(drawn()))) as opened:
        assert opened.get_metadata_dict()["Title"] == TITLE


def test_a_screen_reader_is_given_the_alternative_texts_in_order():
    texts = ["Placa de titânio sobre fundo branco. Título: “Precisão”.", "Convite: fale com a engenharia."]
    content = document(encoded(drawn()), encoded(drawn()), alt_texts=texts)
    with pikepdf.open(BytesIO(content)) as opened:
        figures = list(opened.Root.StructTreeRoot.K.K)
        assert [str(figure.Alt) for figure in figures] == texts
        assert [figure.Pg.objgen for figure in figures] == [page.objgen for page in opened.pages]
        assert opened.Root.MarkInfo.Marked
        assert opened.check_pdf_syntax() == []


def test_the_same_pages_make_the_same_document():
    assert document(encoded(drawn())) == document(encoded(drawn()))


@pytest.mark.parametrize("count", [0, 301])
def test_as_many_pages_as_linkedin_takes_and_no_more(count):
    with pytest.raises(DocumentRefused, match=f"1 to 300 pages, not {count}"):
        document(*[b"never read"] * count)


def test_three_hundred_pages_are_a_document():
    page = encoded(Image.new("RGB", SQUARE, "#004F8F"))
    with pikepdf.open(BytesIO(document(*[page] * 300))) as opened:
        assert len(opened.pages) == 300


@pytest.mark.parametrize(
    ("pages", "slide_index", "message"),
    [
        ((TALL, (1080, 1349)), 1, "Page 2 has 1080×1349 pixels, not 1080×1350 or 1080×1080"),
        (((2160, 2700),), 0, "Page 1 has 2160×2700 pixels"),
        ((TALL, TALL, SQUARE), 2, "Page 3 has 1080×1080 pixels and page 1 1080×1350: all must be alike"),
    ],
)
def test_a_page_of_another_size_is_named(pages, slide_index, message):
    with pytest.raises(DocumentRefused, match=message) as refused:
        document(*(encoded(Image.new("RGB", size)) for size in pages))
    assert refused.value.slide_index == slide_index
    assert not refused.value.retryable


@pytest.mark.parametrize("page", [b"", b"%PDF-1.7", encoded(drawn())[:-2000], encoded(drawn(), "GIF")])
def test_what_is_no_whole_picture_is_refused(page):
    with pytest.raises(DocumentRefused, match="Page 2 cannot be used: it is not a whole PNG or JPEG picture"):
        document(encoded(drawn()), page)


def test_a_document_of_more_than_linkedin_takes_is_refused(monkeypatch):
    page = encoded(drawn())
    monkeypatch.setattr(pdf_module, "MAX_BYTES", 2 * len(page))
    document(page)
    with pytest.raises(DocumentRefused, match="MB; LinkedIn takes"):
        document(page, page, page)


def test_alternative_texts_are_one_a_page():
    with pytest.raises(DocumentRefused, match="1 alternative texts for 2 pages"):
        document(encoded(drawn()), encoded(drawn()), alt_texts=["one"])
