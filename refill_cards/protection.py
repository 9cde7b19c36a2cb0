"""Protects files with a password.

Pure Python, without Odoo.
"""

import shutil
from typing import BinaryIO

import pypdf
import pyzipper


def zip_file(name: str, source: BinaryIO, file: BinaryIO, password: str) -> None:
    """Write a zip archive with one file in it, encrypted with AES-256 (WinZip's AE-2).

    :param str name: of the file in the archive.
    """
    with pyzipper.AESZipFile(
        file, 'w', compression=pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES
    ) as archive:
        archive.setpassword(password.encode())
        with archive.open(name, 'w') as packed:
            shutil.copyfileobj(source, packed)


def encrypt_pdf(source: BinaryIO, file: BinaryIO, password: str) -> None:
    """Write a PDF that opens with the password only, encrypted with AES-256 (ISO 32000-2)."""
    writer = pypdf.PdfWriter(clone_from=source)
    writer.encrypt(password, algorithm='AES-256')
    writer.write(file)
