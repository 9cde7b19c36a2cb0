"""Files are read piece by piece, and workbooks row by row; nothing is on the disk in clear."""

import io
import random
import zipfile
from datetime import datetime
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import BaseCase, HttpCase, tagged

from ..refill_cards import codes, sealed_file, sheets
from ..refill_cards.models import refill_card_import_problem
from .import_common import ImportCommon

PIECE = 512


@tagged('post_install', '-at_install')
class TestImportSealed(ImportCommon):
    def setUp(self):
        super().setUp()
        self.startPatcher(patch.object(sealed_file, 'PIECE', PIECE))
        self.lines = [(f'aB3xK9mQ{number:04}', 25) for number in range(1_000)]

    def _write_csv(self):
        return '\n'.join(["Code,Price", *(f'{code},{price}' for code, price in self.lines)])

    def _get_pieces(self, record):
        attachments = self.env['ir.attachment'].with_context(skip_res_field_check=True)
        return attachments.search(
            [('res_model', '=', record._name), ('res_id', '=', record.id)], order='id'
        )

    def test_a_file_is_kept_in_pieces_none_of_which_is_opened_beside_another(self):
        workbook = self._write_xlsx(["Code", "Price"], *self.lines)
        for content, name in ((self._write_csv().encode(), 'x.csv'), (workbook, 'x.xlsx')):
            with self.subTest(name=name):
                record = self._upload(content, preset='other', name=name)
                pieces = self._get_pieces(record)
                self.assertGreater(len(pieces), 10)
                self.assertLessEqual(max(pieces.mapped('file_size')), PIECE + codes.SEAL_BYTES)
                self.env.invalidate_all()
                record.action_check()
                self.assertEqual(record.ready_count, len(self.lines))
                remembered = [id_ for id_ in pieces.ids if self._is_remembered(pieces, id_)]
                self.assertFalse(remembered, "a piece stays in the memory of the transaction")
                record.action_discard()
                self.assertFalse(pieces.exists())

    def _is_remembered(self, pieces, id_):
        return id_ in pieces._fields['raw']._get_cache(self.env)

    def test_pieces_that_changed_places_or_were_lost_are_no_table(self):
        for change in (self._exchange, lambda pieces: pieces[1].unlink()):
            record = self._upload(self._write_csv(), preset='other')
            change(self._get_pieces(record))
            self._assert_is_gone(record)

    def _assert_is_gone(self, record):
        with self.assertRaises(UserError) as caught:
            record.action_check()
        self.assertIn("Import it again from the beginning", str(caught.exception))
        record.action_discard()

    def _exchange(self, pieces):
        first, second = pieces[:2].mapped('raw')
        pieces[0].raw, pieces[1].raw = second, first

    def test_a_file_that_an_earlier_version_sealed_is_asked_for_again(self):
        record = self._upload("Code,Price\naB3xK9mQ,25\n", preset='other')
        cipher = self.env['refill.card.key']._get_sealer()._cipher
        self._get_pieces(record).raw = cipher.encrypt(b"Code,Price\naB3xK9mQ,25\n", [b'file'])
        self._assert_is_gone(record)


@tagged('post_install', '-at_install')
class TestImportProblems(ImportCommon, HttpCase):
    def _download(self, record, user):
        self.authenticate(user.login, user.login)
        return self.url_open(record.action_download_problems()['url'])

    def test_the_lines_that_are_left_out_come_as_a_file(self):
        lines = [f'abcDEF{number:04},x' for number in range(1_200)]
        self.startPatcher(patch.object(refill_card_import_problem, 'BATCH', 500))
        record = self._check('\n'.join(["Code,Price", "x,25", *lines]), preset='other')
        self.assertEqual((record.problem_count, len(record.problem_ids)), (1_201, 1_000))
        response = self._download(record, self.manager)
        self.assertIn('Lines%20left%20out%20of%20cards.csv', str(response.headers))
        told = response.content.decode('utf-8-sig').splitlines()
        self.assertEqual(told[0], "Line,Left out because")
        self.assertTrue(told[1].startswith('2,"This is no code'))
        self.assertEqual(
            [line.partition(',')[0] for line in told[1:]], list(map(str, range(2, 1_203)))
        )

    def test_nobody_else_gets_them(self):
        record = self._check("Code,Price\nabcDEF11,25\nx,25\n", preset='other')
        stranger = self._new_user(
            'stranger', 'refill_cards.group_refill_card_manager', company_id=self.other_company.id
        )
        for user in (self.clerk, stranger):
            response = self._download(record, user)
            self.assertFalse(response.ok, user.login)
            self.assertNotIn(b'no code', response.content)


class TestSealedFile(BaseCase):
    def test_it_is_read_anywhere_as_if_it_were_whole(self):
        self.startPatcher(patch.object(sealed_file, 'PIECE', 7))
        content = bytes(range(256))
        pieces = list(sealed_file.split(content))
        self.assertEqual(len(pieces), sealed_file.count_pieces(len(content)))
        file, whole = sealed_file.open_pieces(len(content), pieces.__getitem__), io.BytesIO(content)
        rng = random.Random(1)
        for _time in range(500):
            start, size = rng.randrange(-300, 300), rng.choice([-1, 0, 1, 7, 20, 300])
            whence = io.SEEK_END if start < 0 else io.SEEK_SET
            for each in (file, whole):
                each.seek(max(start, -len(content)), whence)
            self.assertEqual(file.read(size), whole.read(size))
            self.assertEqual(file.tell(), whole.tell())


class TestWorkbook(BaseCase):
    """Sheets as other programs write them than those that the tests of files use."""

    def _write(self, sheet, texts='', styles='', book=''):
        relations = (
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}'
            '</Relationships>'
        )
        kind = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
        link = '<Relationship Id="{}" Type="' + kind + '/{}" Target="{}"/>'
        space = 'xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
        links = [('a', 'worksheet', '/xl/worksheets/one.xml'), ('b', 'sharedStrings', 'texts.xml')]
        links += [('c', 'styles', 'styles.xml'), ('d', 'chartsheet', 'chart.xml')]
        parts = {
            '_rels/.rels': relations.format(link.format('z', 'officeDocument', 'xl/book.xml')),
            'xl/_rels/book.xml.rels': relations.format(''.join(link.format(*one) for one in links)),
            'xl/book.xml': f'<x:workbook {space} xmlns:q="{kind}">{book}<x:sheets>'
            '<x:sheet q:id="d"/><x:sheet q:id="a"/></x:sheets></x:workbook>',
            'xl/worksheets/one.xml': f'<x:worksheet {space}><x:sheetData>{sheet}'
            '</x:sheetData></x:worksheet>',
            'xl/texts.xml': f'<x:sst {space}>{texts}</x:sst>',
            'xl/styles.xml': f'<x:styleSheet {space}>{styles}</x:styleSheet>',
        }
        file = io.BytesIO()
        with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as archive:
            for name, part in parts.items():
                archive.writestr(name, part)
        file.seek(0)
        return file

    def _read(self, *args, **kwargs):
        return list(sheets.read(self._write(*args, **kwargs)))

    def test_texts(self):
        rows = self._read(
            '<x:row r="2"><x:c r="A2" t="s"><x:v>1</x:v></x:c>'
            '<x:c r="C2" t="inlineStr"><x:is><x:r><x:t>in</x:t></x:r><x:r><x:t>side</x:t></x:r>'
            '</x:is></x:c><x:c r="D2" t="str"><x:v>a&amp;b</x:v></x:c></x:row>'
            '<x:row><x:c t="s"><x:v>0</x:v></x:c><x:c t="b"><x:v>1</x:v></x:c></x:row>',
            texts='<x:si><x:t>\u00e9t\u00e9</x:t></x:si>'
            '<x:si><x:r><x:t>aB3</x:t></x:r><x:r><x:t>xK9</x:t></x:r><x:rPh><x:t>no</x:t></x:rPh>'
            '</x:si>',
        )
        self.assertEqual(
            rows, [(2, ['aB3xK9', None, 'inside', 'a&b']), (3, ['\u00e9t\u00e9', True])]
        )

    def test_they_are_read_from_any_row_on(self):
        texts = ''.join(f'<x:si><x:t>t{number}</x:t></x:si>' for number in range(40))
        sheet = ''.join(
            f'<x:row r="{number + 3}"><x:c t="s"><x:v>{number}</x:v></x:c></x:row>'
            for number in range(0, 40, 2)
        )
        file = self._write(sheet, texts=texts)
        whole = list(sheets.read(file))
        for after in (0, 1, 3, 4, 5, 40, 41, 100):
            file.seek(0)
            rest = [row for row in whole if row[0] > after]
            self.assertEqual(list(sheets.read(file, after)), rest, after)

    def test_numbers(self):
        styles = (
            '<x:numFmts><x:numFmt numFmtId="170" formatCode="00000000"/>'
            '<x:numFmt numFmtId="171" formatCode="[$-409]d\\-mmm;@"/></x:numFmts>'
            '<x:cellStyleXfs><x:xf numFmtId="14"/></x:cellStyleXfs>'
            '<x:cellXfs><x:xf/><x:xf numFmtId="170"/><x:xf numFmtId="171"/><x:xf numFmtId="22"/>'
            '</x:cellXfs>'
        )
        sheet = (
            '<x:row><x:c><x:v>12.5</x:v></x:c><x:c s="1"><x:v>1234567</x:v></x:c>'
            '<x:c s="2"><x:v>60999</x:v></x:c><x:c s="3"><x:v>60999.5</x:v></x:c>'
            '<x:c s="2"><x:v>99999999</x:v></x:c><x:c><x:f>A1</x:f><x:v>7</x:v></x:c>'
            '<x:c><x:v>1E+2</x:v></x:c></x:row>'
        )
        [(_line, cells)] = self._read(sheet, styles=styles)
        day = datetime(2067, 1, 2)
        self.assertEqual(
            cells, [12.5, '01234567', day, day.replace(hour=12), '#VALUE!', '=', 100.0]
        )
        book = '<x:workbookPr date1904="1"/>'
        [(_line, cells)] = self._read(sheet, styles=styles, book=book)
        self.assertEqual(cells[2], datetime(2071, 1, 3))

    def test_what_cannot_be_is_refused(self):
        cell = '<x:c><x:v>{}</x:v></x:c>'
        for sheet in (
            '<x:row r="3"/><x:row r="2"/>',
            f'<x:row>{cell.format("1e999")}</x:row>',
            '<x:row><x:c t="s"><x:v>0</x:v></x:c></x:row>',
            '<x:row><x:c t="s"><x:v>-1</x:v></x:c></x:row>',
            '<x:row r="x"/>',
        ):
            with self.subTest(sheet=sheet), self.assertRaises(sheets.Unreadable) as caught:
                self._read(sheet)
            self.assertEqual(caught.exception.reason, 'workbook')

    def test_entities_are_none(self):
        file = self._write('<x:row><x:c t="s"><x:v>0</x:v></x:c></x:row>')
        texts = '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'
        for part in ('xl/texts.xml', 'xl/worksheets/one.xml', 'xl/styles.xml'):
            changed = io.BytesIO()
            with zipfile.ZipFile(file) as before, zipfile.ZipFile(changed, 'w') as after:
                for name in before.namelist():
                    after.writestr(name, texts if name == part else before.read(name))
            with self.subTest(part=part), self.assertRaises(sheets.Unreadable):
                changed.seek(0)
                list(sheets.read(changed))

    def test_a_cell_far_to_the_right_does_not_make_a_long_row(self):
        [(_line, cells)] = self._read('<x:row><x:c r="XFD1"><x:v>1</x:v></x:c></x:row>')
        self.assertLess(len(cells), 1_000)
