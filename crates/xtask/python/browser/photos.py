"""Image files that are unusual, for the photo input of the interactive figures."""

import base64
import struct
import zlib

# Written with Pillow 12. `turned.jpg` is 24 x 16 (W x H), and its EXIF data says that it must be turned by 90 degrees.
FILES = {
    "cmyk.jpg": (
        "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwANCQoLCggNCwoLDg4NDxMgFRMSEhMnHB4XIC4pMTAuKS0sMzpKPjM2RjcsLUBXQUZMTlJTUjI+WmFa"
        "UGBKUVJP/8AAFAgAEAAYBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQEAAAB"
        "fQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hp"
        "anN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5"
        "+v/aAA4EQwBNAFkASwAAPwDg65Wu5r06vaKp14hRRRRRXi9XK9vor2iqdeIUUUUUV//Z"
    ),
    "turned.jpg": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/4QAiRXhpZgAATU0AKgAAAAgAAQESAAMAAAABAAYAAAAAAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExIS"
        "EyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09P"
        "T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//wAARCAAQABgDASIAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcI"
        "CQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6"
        "Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW"
        "19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAEC"
        "AxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0"
        "dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq8vP09fb3+Pn6/9oA"
        "DAMBAAIRAxEAPwDm6t1Uq3Xo57/y7+f6Hfkf/Lz5fqFFFFfPnvn/2Q=="
    ),
    "animated.gif": (
        "R0lGODlhDAAJAIEAAP8AAAAAAAAAAAAAACH/C05FVFNDQVBFMi4wAwEAAAAh+QQACgAAACwAAAAADAAJAAAIFAABCBxIsKDBgwgTKlzIsKHD"
        "gQEBACH5BAEKAAEALAAAAAAMAAkAgQD/AAAAAAAAAAAAAAgUAAEIHEiwoMGDCBMqXMiwocOBAQEAIfkEAQoAAQAsAAAAAAwACQCBAAD/AAAA"
        "AAAAAAAACBQAAQgcSLCgwYMIEypcyLChw4EBAQA7"
    ),
    "animated.webp": (
        "UklGRrQAAABXRUJQVlA4WAoAAAACAAAACwAACAAAQU5JTQYAAAAAAAAAAABBTk1GKAAAAAAAAAAAAAsAAAgAAGQAAAJWUDhMDwAAAC8LAAIA"
        "BxD9j/4HIqL/AQBBTk1GKAAAAAAAAAAAAAsAAAgAAGQAAABWUDhMDwAAAC8LAAIAB9D/iP4HIqL/AQBBTk1GKAAAAAAAAAAAAAsAAAgAAGQA"
        "AABWUDhMDwAAAC8LAAIABxDR//4HIqL/AQA="
    ),
    "still.gif": (
        "R0lGODdhDAAJAIEAAP8AAAAAAAAAAAAAACwAAAAADAAJAAAIFAABCBxIsKDBgwgTKlzIsKHDgQEBADs="
    ),
    "clear.png": (
        "iVBORw0KGgoAAAANSUhEUgAAAAYAAAAECAYAAACtBE5DAAAADElEQVR4nGNgoD0AAABkAAGGZDw1AAAAAElFTkSuQmCC"
    ),
}
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><rect width="40" height="30" fill="red"/></svg>'


def png(height, width):
    """A PNG file with grey stripes."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes([row * 8 % 256]) * width for row in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def write(folder):
    """Writes all files into a folder."""
    for name, text in FILES.items():
        (folder / name).write_bytes(base64.b64decode(text))
    (folder / "drawing.svg").write_bytes(SVG)
    (folder / "one.png").write_bytes(png(1, 1))
    (folder / "large.png").write_bytes(png(3000, 4000))
    (folder / "cut.png").write_bytes(png(200, 200)[:60])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.txt").write_bytes(b"not an image")
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
