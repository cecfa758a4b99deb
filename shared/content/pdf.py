"""The document that LinkedIn shows as a carousel: a PDF with one picture a page."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from pikepdf import Array, Dictionary, Name, Pdf, Stream, String

from shared.content.pixels import Pixels, read_pixels
from shared.engine.errors import JobError

PAGE_SIZES = ((1080, 1350), (1080, 1080))
MAX_PAGES = 300
MAX_BYTES = 100_000_000


class DocumentRefused(JobError):
    """LinkedIn would not take a document of these pages."""

    code = "document_refused"


def carousel_pdf(
    pages: Sequence[bytes],
    title: str,
    author: str,
    language: str,
    *,
    alt_texts: Sequence[str] = (),
) -> bytes:
    """One PDF of PNG or JPEG pictures, all of 1080×1350 or all of 1080×1080 pixels; a pixel is a point.

    The pixels stay what they are (`read_pixels`). `language` is a BCP 47 tag. `alt_texts`, one a page or none at all,
    are what a screen reader says in place of the pictures. The same input gives the same bytes.

    Raises DocumentRefused for what is no picture and for what LinkedIn does not take: no pages or more than 300, other
    or different sizes, more than 100 MB; `slide_index` counts from 0 and says which page, where it is one.
    """
    if not 1 <= len(pages) <= MAX_PAGES:
        raise DocumentRefused(f"A carousel's document has 1 to {MAX_PAGES} pages, not {len(pages)}.")
    if alt_texts and len(alt_texts) != len(pages):
        raise DocumentRefused(f"There are {len(alt_texts)} alternative texts for {len(pages)} pages.")
    pictures = [_picture(page, index) for index, page in enumerate(pages)]
    for index, picture in enumerate(pictures):
        if picture.size != pictures[0].size:
            raise DocumentRefused(
                f"Page {index + 1} has {_size(picture)} pixels and page 1 {_size(pictures[0])}: all must be alike.",
                slide_index=index,
            )
    with Pdf.new() as pdf:
        for picture in pictures:
            _add_page(pdf, picture)
        _describe(pdf, title, author, language)
        if alt_texts:
            _tag(pdf, alt_texts)
        written = BytesIO()
        pdf.save(written, min_version="1.7", deterministic_id=True)
    if written.tell() > MAX_BYTES:
        raise DocumentRefused(
            f"The carousel's document has {written.tell() / 1e6:.1f} MB; LinkedIn takes {MAX_BYTES / 1e6:.0f} MB."
        )
    return written.getvalue()


def _picture(page: bytes, index: int) -> Pixels:
    try:
        picture = read_pixels(page)
    except ValueError as error:
        raise DocumentRefused(f"Page {index + 1} cannot be used: {error}", slide_index=index) from error
    if picture.size not in PAGE_SIZES:
        allowed = " or ".join(f"{width}×{height}" for width, height in PAGE_SIZES)
        raise DocumentRefused(f"Page {index + 1} has {_size(picture)} pixels, not {allowed}.", slide_index=index)
    return picture


def _add_page(pdf: Pdf, picture: Pixels) -> None:
    width, height = picture.size
    image = Stream(
        pdf,
        picture.data,
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=width,
        Height=height,
        ColorSpace=Name.DeviceGray if picture.channels == 1 else Name.DeviceRGB,
        BitsPerComponent=8,
    )
    if picture.encoding == "jpeg":
        image.Filter = Name.DCTDecode
    else:
        image.Filter = Name.FlateDecode
        # 15: each row names its own filter, as the rows of a PNG do.
        image.DecodeParms = Dictionary(Predictor=15, Colors=picture.channels, BitsPerComponent=8, Columns=width)
    page = pdf.add_blank_page(page_size=(width, height))
    page.Resources = Dictionary(XObject=Dictionary(Picture=image))
    drawing = f"/Figure <</MCID 0>> BDC q {width} 0 0 {height} 0 0 cm /Picture Do Q EMC"
    page.Contents = Stream(pdf, drawing.encode())


def _describe(pdf: Pdf, title: str, author: str, language: str) -> None:
    pdf.docinfo[Name.Title] = title
    pdf.docinfo[Name.Author] = author
    with pdf.open_metadata(set_pikepdf_as_editor=False) as metadata:
        metadata["dc:title"] = title
        metadata["dc:creator"] = [author]
        metadata["dc:language"] = {language}
    pdf.Root.Lang = String(language)
    pdf.Root.ViewerPreferences = Dictionary(DisplayDocTitle=True)


def _tag(pdf: Pdf, alt_texts: Sequence[str]) -> None:
    """A figure a page, in the order of the pages, each with its text."""
    document = pdf.make_indirect(Dictionary(Type=Name.StructElem, S=Name.Document, K=Array()))
    figures = [
        pdf.make_indirect(
            Dictionary(Type=Name.StructElem, S=Name.Figure, P=document, Pg=page.obj, K=0, Alt=String(text))
        )
        for page, text in zip(pdf.pages, alt_texts, strict=True)
    ]
    document.K = Array(figures)
    # Which figure the marked content 0 of each page belongs to.
    parents: list[Any] = []
    for index, (page, figure) in enumerate(zip(pdf.pages, figures, strict=True)):
        page.StructParents = index
        page.Tabs = Name.S
        parents.extend([index, pdf.make_indirect(Array([figure]))])
    tree = pdf.make_indirect(
        Dictionary(
            Type=Name.StructTreeRoot,
            K=document,
            ParentTree=pdf.make_indirect(Dictionary(Nums=Array(parents))),
            ParentTreeNextKey=len(figures),
        )
    )
    document.P = tree
    pdf.Root.StructTreeRoot = tree
    pdf.Root.MarkInfo = Dictionary(Marked=True)


def _size(picture: Pixels) -> str:
    return "×".join(map(str, picture.size))
