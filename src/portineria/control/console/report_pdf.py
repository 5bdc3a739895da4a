# SPDX-License-Identifier: Apache-2.0
"""Reports on paper. Every text in it may be anybody's words: none of it is read as markup."""

import io
from functools import cache
from typing import Any

from django.utils.translation import gettext as _
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from portineria.control.console.report_sections import Section

# Latin letters in a font that every reader of PDF has; Japanese by a font that readers have or fetch (Adobe-Japan1).
_LATIN, _LATIN_BOLD, _JAPANESE = "Helvetica", "Helvetica-Bold", "HeiseiKakuGo-W5"
_LABEL_SHARE = 0.27
_LINES = TableStyle([
    ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.lightgrey),
    ("LEFTPADDING", (0, 0), (-1, -1), 0), ("TOPPADDING", (0, 0), (-1, -1), 2), ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
])  # fmt: skip


def report_pdf(about: str, sections: list[Section], *, title: str = "", wide: bool = False) -> bytes:
    """The same contents are the same bytes. ``about``: the id that stands on each page; ``title``: of a service report
    unless said; ``wide``: the long side below, for tables of many columns.
    """
    _register_fonts()
    title, file, size = title or _("Service report"), io.BytesIO(), landscape(A4) if wide else A4
    document = SimpleDocTemplate(
        file, pagesize=size, leftMargin=18 * mm, rightMargin=18 * mm, topMargin=16 * mm, bottomMargin=18 * mm,
        title=f"{title} {about}", author="Portineria", invariant=1,
    )  # fmt: skip
    story: list[Flowable] = [_text(title, 16, bold=True), _text(about, 9), Spacer(0, 4 * mm)]
    for section in sections:
        story += _section(section, document.width)

    def numbered(canvas: Any, _document: Any) -> None:
        canvas.setFont(_LATIN, 8)
        canvas.drawString(18 * mm, 10 * mm, about)
        canvas.drawRightString(size[0] - 18 * mm, 10 * mm, str(canvas.getPageNumber()))

    document.build(story, onFirstPage=numbered, onLaterPages=numbered)
    return file.getvalue()


@cache
def _register_fonts() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont(_JAPANESE))


def _section(section: Section, width: float) -> list[Flowable]:
    found: list[Flowable] = [_text(section.title, 11, bold=True), Spacer(0, 1 * mm)]
    if section.facts:
        rows = [[_text(label, 9), _text(value, 9)] for label, value in section.facts]
        found.append(_table(rows, [width * _LABEL_SHARE, width * (1 - _LABEL_SHARE)]))
    if section.rows:
        rows = [[_text(label, 8, bold=True) for label in section.head]]
        rows += [[_text(cell, 8) for cell in row] for row in section.rows]
        found.append(_table(rows, [width / len(section.head)] * len(section.head), heads=1))
    if section.note:
        found.append(_text(section.note, 9))
    return [*found, Spacer(0, 4 * mm)]


def _table(rows: list[list[Paragraph]], widths: list[float], heads: int = 0) -> Table:
    # A cell of four thousand characters is longer than a page.
    return Table(rows, colWidths=widths, repeatRows=heads, style=_LINES, splitInRow=1)


def _text(text: str, size: int, *, bold: bool = False) -> Paragraph:
    shown = "".join(_printable(symbol) for symbol in text)
    latin = _encodes(shown, "cp1252")
    font = (_LATIN_BOLD if bold else _LATIN) if latin else _JAPANESE
    style = ParagraphStyle(
        "text", fontName=font, fontSize=size, leading=size * 1.35, wordWrap=None if latin else "CJK", splitLongWords=1
    )
    return Paragraph(_escaped(shown), style)


def _printable(symbol: str) -> str:
    """As its number where neither font has it: what is not seen must not be taken for nothing."""
    if symbol == "\n" or (symbol.isprintable() and (_encodes(symbol, "cp1252") or _encodes(symbol, "cp932"))):
        return symbol
    return f"\\u{ord(symbol):04x}"


def _encodes(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escaped(text: str) -> str:
    """For reportlab's own markup, which has pictures by address and links."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.replace("\n", "<br/>")
