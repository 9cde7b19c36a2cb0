"""The plug is pulled while cards are dealt with, again and again, and the books are checked."""

import random
import time
from collections import Counter
from contextlib import suppress

import faults_operations
from consistency import find_contradictions
from database import DATABASE, Database
from faults_machine import Machine
from odoo.sql_db import close_db

AT_ONCE = 3
# Seconds from the start of the operations to the fault, at most.
LONGEST_WAIT = 2.0
CODES_A_ROUND = 40
REPEATED_ANYWAY = 2
SECONDS_FOR_JOBS = 300
TOLD_EVERY = 10


def run(count: int, seed: int) -> int:
    """Let so many faults happen, and print what clients saw and what is wrong.

    :param seed: which operations and faults there are, and when.
    :return: the exit code.
    """
    rng = random.Random(seed)
    print(f"{count} faults, seed {seed}", flush=True)
    with Machine(DATABASE, rng) as machine:
        if not machine.has_small_disk:
            print("No disk is filled: only root may mount a small one.")
        database = Database(*machine.odoo_options)
        world = faults_operations.prepare(database, min(count * CODES_A_ROUND, 20_000))
        database.vacuum_analyze()
        machine.start_odoo()
        clients = faults_operations.Clients(machine, world, rng)
        clients.log_in()
        happened: Counter[str] = Counter()
        wrong = _find_wrong(database, clients)
        with suppress(KeyboardInterrupt):
            for number in range(1, count + 1):
                fault = list(machine.faults)[number % len(machine.faults)]
                found = _round(clients, database, fault)
                wrong += [f"fault {number}, {fault}: {what}" for what in found]
                happened[fault] += 1
                if number % TOLD_EVERY == 0 or found:
                    print(f"{number} faults, {len(wrong)} contradictions", flush=True)
        machine.recover()
        close_db(DATABASE)
        wrong += clients.repeat_unanswered(len(clients.calls))
        wrong += _wait_for_jobs(database) + _find_wrong(database, clients)
    _print_tables(happened, clients)
    print(*wrong, f"{len(wrong)} contradictions", sep='\n')
    return int(bool(wrong))


def _round(clients: faults_operations.Clients, database: Database, fault: str) -> list[str]:
    """Let a fault happen during some operations, and return what is wrong afterwards."""
    machine, rng = clients.machine, clients.rng
    threads = clients.start(AT_ONCE)
    time.sleep(rng.uniform(0, LONGEST_WAIT))
    machine.faults[fault]()
    for thread in threads:
        thread.join()
    machine.recover()
    close_db(DATABASE)  # our own connections are lost, too
    return clients.repeat_unanswered(REPEATED_ANYWAY) + _find_wrong(database, clients)


def _find_wrong(database: Database, clients: faults_operations.Clients) -> list[str]:
    redeemed = sum(call.redeemed for call in clients.calls)
    with database.environment() as env:
        wrong = find_contradictions(env)
        used = env['refill.card'].search_count([('state', '=', 'used')])
    if used != redeemed:
        wrong.append(f"{used} cards are used, and clients were told of {redeemed}")
    return wrong


def _wait_for_jobs(database: Database) -> list[str]:
    """Wait until all series, files and imports are done, and return which are not."""
    end = time.monotonic() + SECONDS_FOR_JOBS
    while True:
        with database.environment() as env:
            series = env['refill.card.series'].search([('state', '=', 'generating')])
            exports = env['refill.card.export'].search([('state', '!=', 'ready')])
            imports = env['refill.card.import'].search([('state', 'in', ['checking', 'importing'])])
            names = [*series.mapped('name'), *exports.mapped('name'), *imports.mapped('name')]
        if not names:
            return []
        if time.monotonic() > end:
            return [f"{name} is not made" for name in names]
        time.sleep(1)


def _print_tables(happened: Counter, clients: faults_operations.Clients) -> None:
    for fault, number in happened.items():
        print(f"{number:6}  {fault}")
    for title, counts in (
        ("What clients were answered", clients.seen),
        ("What they were answered when they repeated a redemption", clients.repeated),
    ):
        print(f"\n{title}:")
        for (operation, label), number in sorted(counts.items()):
            print(f"{number:6}  {operation:12} {label}")
