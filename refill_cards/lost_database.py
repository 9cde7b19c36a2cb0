"""What is answered when the database is lost while a request about cards is served.

Odoo answers HTTP 500, and 404 where it cannot even connect. Here the request is served again when
nothing of it was committed, or when it has a reference by which it is done once. It is answered
with a sentence when that fails, too, or when nobody knows whether it was committed. It is done
around ``Request._serve_db``, because without a connection Odoo reaches no model that could be
extended. All other requests pass as they are.
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
from psycopg2 import DatabaseError, InterfaceError, OperationalError
from psycopg2.pool import PoolError
from werkzeug.exceptions import HTTPException

from .refusals import RefillCardUnavailable, as_known_to_odoo

_logger = logging.getLogger(__name__)

PAGES = re.compile(r'/my/(refill|payments)(/|$)')
CALLS = re.compile(r'/(json/2|web/dataset/call_(kw|button))/refill\.card\b')
CALLS_THAT_NAME_THE_MODEL_INSIDE = re.compile(r'/(jsonrpc|web/dataset/call_(kw|button))$')
TRIES = 5
# Of PostgreSQL: the connection failed, or the server was shut down.
LOST_CONNECTION = ('08', '57P')
COMMITTING = {Cursor.commit.__code__, Registry.signal_changes.__code__}
RETRY_AFTER = '5'  # seconds
PAGE = Markup(
    """<!DOCTYPE html>
<html dir="auto">
<head>
<meta charset="utf-8"/><meta name="viewport" content="width=device-width"/>
<title>503 Service Unavailable</title>
</head>
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
    params = _get_params(request)
    arguments = params.get('args')  # of /jsonrpc: database, user, password, model
    model = params.get('model') or (isinstance(arguments, list) and arguments[3:4] or [''])[0]
    return str(model).split('.')[:2] == ['refill', 'card']


def _get_params(request):
    """Return what came in a JSON body, of JSON-RPC its parameters; empty for no such body."""
    try:
        body = request.get_json_data()
        params = body.get('params', body)
    except (ValueError, AttributeError):
        return {}
    return params if isinstance(params, dict) else {}


def _may_be_repeated(request):
    """Return whether doing it twice is the same as once: it has a reference.

    See ``refill.card.call``.
    """
    if PAGES.search(request.httprequest.path):
        return bool(request.httprequest.form.get('reference'))
    params = _get_params(request)
    return bool(params.get('reference') or params.get('kwargs', {}).get('reference'))


def is_lost(error):
    """Return whether an error of psycopg2 is the database's, and not of what it was asked."""
    # When the server vanishes, psycopg2 may know no class for it, and Odoo's pool of connections
    # looks for another one: each that is lost makes a request fail.
    is_unknown = type(error) is DatabaseError
    return is_unknown or isinstance(error, (InterfaceError, OperationalError, PoolError))


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
    return next(filter(is_lost, _list_causes(error)), None)


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
        is_uncertain = False
        for tries_left in reversed(range(TRIES)):
            try:
                return serve_db(request)
            except Exception as error:
                lost = _find_lost(error)
                if not (lost and is_about_cards(request)):
                    raise
                path = request.httprequest.path
                _logger.warning("The database was lost: %s", path, exc_info=True)
                is_uncertain |= _may_be_committed(error)
                has_connection = lost.pgcode and not lost.pgcode.startswith(LOST_CONNECTION)
                once = is_uncertain and not _may_be_repeated(request)
                if once or has_connection or not tries_left:
                    return _answer(request, 'uncertain' if is_uncertain else 'unavailable')
            request.session, request.db = request._get_session_and_dbname()
            for file in request.httprequest.files.values():  # as Odoo does when it tries again
                file.seek(0)

    return serve


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
