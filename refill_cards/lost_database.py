"""What is answered when the database is lost while a request about cards is served.

Odoo answers HTTP 500, and 404 where it cannot even connect. Here the request is served once more
when nothing of it was committed, and answered with a sentence when that fails, too, or when nobody
knows whether it was committed. It is done around ``Request._serve_db``, because without a
connection Odoo reaches no model that could be extended. All other requests pass as they are.
"""

import logging
import re
import traceback
from contextlib import closing
from functools import wraps

from markupsafe import Markup
from odoo.api import Environment
from odoo.exceptions import UserError
from odoo.http import Json2Dispatcher, JsonRPCDispatcher, Request, Response
from odoo.modules.registry import Registry
from odoo.sql_db import Cursor
from psycopg2 import InterfaceError, OperationalError
from psycopg2.pool import PoolError
from werkzeug.exceptions import HTTPException

from .refusals import RefillCardUnavailable, as_known_to_odoo

_logger = logging.getLogger(__name__)

PAGES = re.compile(r'/my/(refill|payments)(/|$)')
CALLS = re.compile(r'/(json/2|web/dataset/call_(kw|button))/refill\.card\b')
CALLS_THAT_NAME_THE_MODEL_INSIDE = re.compile(r'/(jsonrpc|web/dataset/call_(kw|button))$')
LOST = (InterfaceError, OperationalError, PoolError)
# Of PostgreSQL: the connection failed, or the server was shut down.
LOST_CONNECTION = ('08', '57P')
COMMITTING = {Cursor.commit.__code__, Registry.signal_changes.__code__}
RETRY_AFTER = '5'  # seconds
PAGE = Markup(
    """<!DOCTYPE html>
<html dir="auto">
<head><meta charset="utf-8"/><meta name="viewport" content="width=device-width"/></head>
<body style="font: 1.1rem/1.5 sans-serif; max-width: 36rem; margin: 3rem auto; padding: 0 1rem">
<p role="alert">%s</p>
</body>
</html>
"""
)


def is_about_cards(request):
    """Return whether one of the addon's pages, or a method of its models, was asked for."""
    path = request.httprequest.path
    if PAGES.search(path) or CALLS.match(path):
        return True
    if not CALLS_THAT_NAME_THE_MODEL_INSIDE.match(path):
        return False
    try:
        params = request.get_json_data()['params']
        model = params['model'] if 'model' in params else params['args'][3]
        return model.split('.')[:2] == ['refill', 'card']
    except (ValueError, TypeError, LookupError, AttributeError):
        return False


def _list_causes(error):
    """Return the error, what it was raised for or meanwhile, and so on."""
    causes = []
    while error:
        causes.append(error)
        error = error.__cause__ or error.__context__
    return causes


def _find_lost(error):
    """Return the error of the database that made the request fail, None for any other failure."""
    if isinstance(error, (UserError, HTTPException)):
        return None
    return next((cause for cause in _list_causes(error) if isinstance(cause, LOST)), None)


def _may_be_committed(error):
    frames = (
        frame
        for cause in _list_causes(error)
        for frame, _line in traceback.walk_tb(cause.__traceback__)
    )
    return any(frame.f_code in COMMITTING for frame in frames)


def _serve(serve_db):
    """Return how requests are served instead.

    :param serve_db: how Odoo serves them.
    """

    @wraps(serve_db)
    def serve(request):
        try:
            return serve_db(request)
        except Exception as error:
            lost = _find_lost(error)
            if not (lost and is_about_cards(request)):
                raise
            _logger.warning("The database was lost: %s", request.httprequest.path, exc_info=True)
            if _may_be_committed(error):
                return _answer(request, 'uncertain')
            if lost.pgcode and not lost.pgcode.startswith(LOST_CONNECTION):
                return _answer(request, 'unavailable')
        return _serve_again(request, serve_db)

    return serve


def _serve_again(request, serve_db):
    """Serve a request of which nothing was committed, by another connection."""
    request.session, request.db = request._get_session_and_dbname()
    try:
        return serve_db(request)
    except Exception as error:
        if not _find_lost(error):
            raise
        _logger.warning("The database is lost: %s", request.httprequest.path, exc_info=True)
        return _answer(request, 'uncertain' if _may_be_committed(error) else 'unavailable')


def _answer(request, reason):
    """Return the answer to a request that is not served, as its kind of client reads it.

    :param str reason: see ``RefillCardUnavailable``.
    """
    path = request.httprequest.path
    is_page = bool(PAGES.search(path))
    error = RefillCardUnavailable(reason, request.session.context['lang'], is_page=is_page)
    if is_page:
        response = _render(request, error)
    elif path.startswith('/json/2/'):
        response = Json2Dispatcher(request).handle_error(error)
    else:
        dispatcher = JsonRPCDispatcher(request)
        dispatcher.request_id = request.get_json_data().get('id')
        response = dispatcher.handle_error(as_known_to_odoo(error))
    # Odoo answers JSON-RPC 200 whatever happens; whoever watches a server looks at the status.
    response.status_code = error.http_status
    response.headers['Retry-After'] = RETRY_AFTER
    return response


def _render(request, error):
    """Return a page of the portal; a bare one where no connection can be had at all."""
    try:
        registry = Registry(request.db)
        with closing(registry.cursor()) as cr:
            request.registry = registry
            request.env = Environment(cr, request.session.uid, request.session.context)
            registry['ir.http']._match(request.httprequest.path)
            return registry['ir.http']._handle_error(error)
    except Exception:
        _logger.info("There is no connection for the page, either", exc_info=True)
        return Response(PAGE % error.args[0], status=error.http_status, mimetype='text/html')
    finally:
        request.env = None


Request._serve_db = _serve(Request._serve_db)
