"""Which text a page's bytes are, decided as browsers decide it.

The byte order mark counts before the Content-Type header, the header before what the page declares
in its head (HTML Standard, "determining the character encoding"). A page without any of them is
UTF-8 if it can be, else windows-1252. Labels are read by the table of the Encoding Standard, in
which iso-8859-1 and us-ascii mean windows-1252; a label that is not in it counts as none.
"""

import codecs
import re
from email.message import Message

import webencodings

LOST = "\ufffd"  # stands where bytes mean nothing in their charset: text that holds it is damaged

_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16be"), (b"\xff\xfe", "utf-16le"))
# The standard decodes GBK as GB18030, which holds it.
_CODECS = {"gbk": "gb18030"}
# Where Python's tables are older or stricter than the standard's.
_STANDARD = {
    "koi8-u": str.maketrans("╝╬", "ўЎ"),
    "euc-jp": (_JIS := str.maketrans("〜‖−¢£¬", "～∥－￠￡￢")),  # noqa: RUF001
    "iso-2022-jp": _JIS,
}
_PRESCANNED_BYTES = 1024
_SPACE = rb"\t\n\f\r "
_MARKUP = re.compile(
    rb"<(?:!(?=--).*?(?:-->|\Z)"  # a comment; `<!-->` is one
    rb"|(?P<end>/?)(?P<tag>[a-z][^" + _SPACE + rb"/>]*)"
    rb"|[!/?][^>]*)",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(
    rb"[/" + _SPACE + rb"]*([^" + _SPACE + rb"/>][^" + _SPACE + rb"/>=]*)"
    rb"(?:[" + _SPACE + rb"]*=[" + _SPACE + rb"]*"
    rb"""(?:"([^"]*)(?:"|\Z)|'([^']*)(?:'|\Z)|([^>"'""" + _SPACE + rb"][^>" + _SPACE + rb"]*)|))?"
)
_IN_CONTENT = re.compile(
    rb"charset[" + _SPACE + rb"]*=[" + _SPACE + rb"]*"
    rb"""(?:"([^"]*)"|'([^']*)'|([^;"'""" + _SPACE + rb"][^;" + _SPACE + rb"]*))?",
    re.IGNORECASE,
)
_XML_DECLARATION = re.compile(
    rb"""<\?xml[^>]*?encoding[\0- ]*=[\0- ]*(?:"([^">\0- ]+)"|'([^'>\0- ]+)')"""
)
_HEAD_TAGS = {
    b"html", b"head", b"title", b"meta", b"link", b"base", b"style", b"script", b"noscript",
    b"object",
}  # fmt: skip


def decode_html(data: bytes, http_charset: str | None = None) -> str:
    """Text of a page. `http_charset` is what `of_content_type` gave, None for a page from disk.

    Nothing raises: bytes without a meaning become `LOST`.
    """
    return _decode(data, _name(http_charset or "") or _declared(data))


def decode_plain(data: bytes, http_charset: str | None = None) -> str:
    """The same for text that is no HTML, so that nothing in it declares a charset."""
    return _decode(data, _name(http_charset or ""))


def of_content_type(header: str | None) -> str | None:
    """The charset of a Content-Type header by its name in the Encoding Standard.

    >>> of_content_type("text/html; charset=Latin1")
    'windows-1252'
    """
    message = Message()
    message["Content-Type"] = header or ""
    return _name(message.get_content_charset() or "")


def _decode(data: bytes, charset: str | None) -> str:
    mark, marked = next((each for each in _MARKS if data.startswith(each[0])), (b"", None))
    name = marked or charset or _guessed(data)
    data = data[len(mark) :]
    if name == "replacement":  # charsets that browsers refuse to read, for they hide scripts
        return LOST if data else ""
    encoding = webencodings.lookup(_CODECS.get(name, name))
    text: str = encoding.codec_info.decode(data, _ERRORS)[0]
    return text.translate(_STANDARD.get(name, {}))


def _name(label: str) -> str | None:
    encoding = webencodings.lookup(label)
    return encoding.name if encoding else None


def _guessed(data: bytes) -> str:
    """What a page is that says nothing. Markup in UTF-16 has a NUL at every other place."""
    start = data[:_PRESCANNED_BYTES]
    nuls_be, nuls_le = start[::2].count(0), start[1::2].count(0)
    if max(nuls_be, nuls_le) > max(len(start) // 4, 4 * min(nuls_be, nuls_le)):
        return "utf-16be" if nuls_be > nuls_le else "utf-16le"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "windows-1252"
    return "utf-8"


def _declared(data: bytes) -> str | None:
    """The charset that the page declares ("prescan a byte stream to determine its encoding").

    The standard looks at 1,024 bytes and reads the page again if a `meta` comes later; here, as in
    Chromium, the whole head is looked at.
    """
    position, in_head = 0, True
    while token := _MARKUP.search(data, position):
        position = token.end()
        tag = (token["tag"] or b"").lower()
        in_head = in_head and (not tag or tag in _HEAD_TAGS)
        if not in_head and position > _PRESCANNED_BYTES:
            break
        if not tag:
            continue
        attributes, position = _attributes(data, position)
        if tag == b"meta" and not token["end"] and (name := _name(_label(attributes))):
            return _readable(name)
    return _of_xml(data)


def _attributes(data: bytes, position: int) -> tuple[dict[bytes, bytes], int]:
    """The attributes of a tag, the first of each name, and where they end."""
    attributes: dict[bytes, bytes] = {}
    while match := _ATTRIBUTE.match(data, position):
        position = match.end()
        attributes.setdefault(match[1].lower(), match[2] or match[3] or match[4] or b"")
    return attributes, position


def _label(attributes: dict[bytes, bytes]) -> str:
    """The label in a `meta`, "" for none."""
    label: bytes | None = attributes.get(b"charset")
    if label is None and attributes.get(b"http-equiv", b"").lower() == b"content-type":
        match = _IN_CONTENT.search(attributes.get(b"content", b""))
        label = match and (match[1] or match[2] or match[3])
    return (label or b"").decode("latin-1")


def _of_xml(data: bytes) -> str | None:
    match = _XML_DECLARATION.match(data[:_PRESCANNED_BYTES])
    name = match and _name((match[1] or match[2]).decode("latin-1"))
    return _readable(name) if name else None


def _readable(name: str) -> str:
    """A declaration that can be read byte by byte can't be true of UTF-16."""
    if name.startswith("utf-16"):
        return "utf-8"
    return "windows-1252" if name == "x-user-defined" else name


def _as_browsers(error: UnicodeError) -> tuple[str, int]:
    """Bytes that Python's tables leave out: C1 controls of windows-125x, the euro of GBK."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    byte = error.object[error.start]
    if error.encoding == "charmap" and 0x80 <= byte < 0xA0:
        return chr(byte), error.start + 1
    if error.encoding == "gb18030" and byte == 0x80:
        return "€", error.start + 1
    return LOST, error.end


_ERRORS = "lego_arta.as_browsers"
codecs.register_error(_ERRORS, _as_browsers)
