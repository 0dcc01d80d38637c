"""Bodies of multipart/form-data."""

from __future__ import annotations

from email.message import Message
from email.parser import HeaderParser


def parts(content_type: str, body: bytes) -> dict[str, bytes]:
    """The parts by name; of two with one name the later.

    :raises ValueError: the body is no form.
    """
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise ValueError(
            "The request's Content-Type is not supported. Expected:\nmultipart/form-data"
        )
    found: dict[str, bytes] = {}
    # The line break before a boundary belongs to it.
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    for piece in pieces[1:-1]:
        head, separator, content = piece.partition(b"\r\n\r\n")
        name = (
            HeaderParser()
            .parsestr(head.decode().lstrip())
            .get_param("name", header="content-disposition")
        )
        if not separator or not isinstance(name, str):
            raise ValueError("a part of the form has no name")
        found[name] = content
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise ValueError("the form is cut off")
    return found
