"""Inputs of the reference results: events, durations, invoices. The same seed gives the same files."""

import csv
import datetime
import random
import sys
from pathlib import Path

OUT = Path(sys.argv[1])
DAY = datetime.timedelta(days=1)


def write(name, header, rows):
    with open(OUT / name, "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(header)
        writer.writerows(rows)


def events(chance):
    """Entities that come and go; several rows a day, leap days, one that came once, some first seen after as-of."""
    start = datetime.date(2024, 1, 15)
    rows = [("leap", "2024-02-29"), ("leap", "2025-02-28"), ("only", "2025-06-15"), ("future", "2026-01-01")]
    for n in range(150):
        at = start + DAY * chance.randrange(560)
        pace = chance.gammavariate(1.5, 12)
        drop = chance.betavariate(1.0, 4.0)
        while at < datetime.date(2025, 10, 1):
            rows.append((f"e{n:03}", at.isoformat()))
            if chance.random() < 0.1:
                rows.append((f"e{n:03}", at.isoformat()))
            if chance.random() < drop:
                if chance.random() < 0.7:
                    break
                at += DAY * chance.randrange(100, 300)
            at += DAY * (1 + int(chance.expovariate(1 / max(pace, 1))))
    chance.shuffle(rows)
    write("events.csv", ["entity", "date"], rows)


def durations(chance):
    """Curves with ties, entries at 0, one where all are censored, one where all come to the event, one of one."""
    rows = []
    for n in range(200):
        rows.append((min(int(chance.expovariate(1 / 60)), 90), int(chance.random() < 0.6), "ties"))
    for n in range(12):
        rows.append((chance.randrange(40), 0, "all censored"))
        rows.append((chance.randrange(40), 1, "all events"))
    rows += [(0, 1, "at zero"), (0, 0, "at zero"), (0, 1, "at zero"), (5, 1, "at zero"), (9, 0, "at zero")]
    rows += [(7, 1, "one"), (100000, 0, 'a "quoted", one'), (1, 1, 'a "quoted", one')]
    for n in range(700):
        rows.append((chance.randrange(1, 2000), int(chance.random() < 0.02), "rare"))
    chance.shuffle(rows)
    write("durations.csv", ["group", "time", "event"], [(g, t, e) for t, e, g in rows])
    write("competing.csv", ["time", "event", "group"],
          [(t, e * chance.choice([1, 1, 2]), g) for t, e, g in rows if g != "all censored"])


def invoices(chance):
    """Invoices of every age at 2025-06-15, exactly at the borders of buckets too."""
    rows = []
    as_of = datetime.date(2025, 6, 15)
    for n in range(300):
        age = chance.choice([-20, -1, 0, 1, 29, 30, 31, 60, 61, 90, 91, 120, 121, 400, chance.randrange(-30, 500)])
        invoiced = as_of - DAY * age
        due = invoiced + DAY * chance.choice([0, 14, 30, 31])
        settled = ""
        if chance.random() < 0.5:
            settled = (invoiced + DAY * chance.randrange(0, 200)).isoformat()
        cents = chance.randrange(-2000, 50000)
        rows.append((f"{n}-P01", invoiced.isoformat(), due.isoformat(), settled, f"{cents / 100:.2f}"))
    rows.append(("big", "2025-06-01", "2025-06-20", "", "123456789012345.67"))
    rows.append(("settled today", "2025-06-01", "2025-06-10", "2025-06-15", "9.99"))
    rows.append(("settled tomorrow", "2025-06-01", "2025-06-10", "2025-06-16", "9.99"))
    write("invoices.csv", ["invoice", "invoice_date", "due_date", "settled_date", "amount"], rows)


def repeat_visits(chance):
    """Events of a MBG/NBD population, for the fits."""
    rows = []
    for n in range(500):
        rate, drop = chance.gammavariate(1.3, 1 / 2.1), chance.betavariate(0.9, 2.8)
        first = chance.randrange(500)
        at, is_there = float(first), chance.random() >= drop
        rows.append((n, first))
        while is_there:
            at += 7 * chance.expovariate(rate)
            if at > 600:
                break
            rows.append((n, int(at)))
            is_there = chance.random() >= drop
    start = datetime.date(2024, 1, 1)
    write("repeat_visits.csv", ["entity", "date"], [(f"e{n:03}", (start + DAY * at).isoformat()) for n, at in rows])


events(random.Random(1))
durations(random.Random(2))
invoices(random.Random(3))
repeat_visits(random.Random(4))
