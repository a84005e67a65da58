"""Retention, status, aging and the durations of both definitions of falloff, in plain Python, entity by entity and day by day
from the written definitions."""

import csv
import datetime
import statistics
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

OUT = Path(sys.argv[1])
AS_OF = datetime.date(2025, 6, 15)  # in the middle of a month
DAY = datetime.timedelta(days=1)


def read(name):
    with open(OUT / name, newline="") as f:
        return list(csv.DictReader(f))


def write(name, header, rows):
    with open(OUT / name, "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(header)
        writer.writerows(rows)


def month_number(day):
    return day.year * 12 + day.month - 1


def month_name(number):
    return f"{number // 12:04}-{number % 12 + 1:02}"


visits, ahead = defaultdict(set), set()
for row in read("events.csv"):
    day = datetime.date.fromisoformat(row["date"])
    if day <= AS_OF:
        visits[row["entity"]].add(day)
    else:
        ahead.add(row["entity"])
visits = {entity: sorted(days) for entity, days in sorted(visits.items())}


def retention():
    rows = []
    firsts = {entity: month_number(days[0]) for entity, days in visits.items()}
    for cohort in sorted(set(firsts.values())):
        members = [entity for entity in visits if firsts[entity] == cohort]
        for month in range(cohort, month_number(AS_OF) + 1):
            active = sum(any(month_number(day) == month for day in visits[entity]) for entity in members)
            rows.append([month_name(cohort), month - cohort, len(members), active])
    write("retention.csv", ["cohort_month", "month_index", "cohort_size", "active"], rows)


def current_gaps(days):
    """The gaps of the last stretch without more than 180 days between two visit days."""
    gaps = []
    for before, after in zip(days, days[1:]):
        gap = (after - before).days
        gaps = [] if gap > 180 else gaps + [gap]
    return gaps


def status():
    everybody = [(b - a).days for days in visits.values() for a, b in zip(days, days[1:]) if (b - a).days <= 180]
    rows = []
    for entity, days in visits.items():
        own = current_gaps(days)
        gap = statistics.median(own) if own else statistics.median(everybody)
        since = (AS_OF - days[-1]).days
        if entity in ahead or since <= min(180, max(14, 1.5 * gap)):
            state = "active"
        elif since < min(180, max(42, 2 * gap)):
            state = "at_risk"
        else:
            state = "fallen_off"
        rows.append([entity, days[0], days[-1], len(days), state])
    write("status.csv", ["entity", "first", "last", "visits", "status"], rows)


def last_visit(limit):
    rows = []
    judged = AS_OF - DAY * limit
    for days in visits.values():
        if days[0] > judged:
            continue
        if days[-1] < judged:
            rows.append([(days[-1] - days[0]).days, 1])
        else:
            rows.append([(judged - days[0]).days, 0])
    write("last_visit_durations.csv", ["time", "event"], rows)


def first_lapse(limit):
    rows = []
    for days in visits.values():
        for at, after in zip(days, days[1:] + [AS_OF]):
            if (after - at).days > limit:
                rows.append([(at - days[0]).days + limit, 1])
                break
        else:
            rows.append([(AS_OF - days[0]).days, 0])
    write("first_lapse_durations.csv", ["time", "event"], rows)


def aging(basis):
    names = ["not_due", "0-30", "31-60", "61-90", "91-120", "over_120"]
    counts, sums = dict.fromkeys(names, 0), dict.fromkeys(names, Decimal(0))
    for row in read("invoices.csv"):
        invoiced = datetime.date.fromisoformat(row["invoice_date"])
        if invoiced > AS_OF or (row["settled_date"] and datetime.date.fromisoformat(row["settled_date"]) <= AS_OF):
            continue
        age = (AS_OF - datetime.date.fromisoformat(row[basis + "_date"])).days
        for name, top in zip(names, [-1, 30, 60, 90, 120, 10**9]):
            if age <= top:
                break
        counts[name] += 1
        sums[name] += Decimal(row["amount"])
    write(f"aging_{basis}.csv", ["bucket", "invoices", "amount"], [[name, counts[name], sums[name]] for name in names])


retention()
status()
last_visit(90)
first_lapse(42)
aging("invoice")
aging("due")
