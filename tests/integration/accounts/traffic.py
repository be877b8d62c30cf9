"""
One of several processes that write the same accounts at once: `python -m … ROLE SECONDS [SECRET]`.

`declare` makes the accounts and prints a token; `web` takes pushes in and publishes them, `tick`
visits the shard, whose link is lost again and again, `operator` asks for snapshots. Each prints
what it did and which errors it met.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections import Counter

import django

ACCOUNTS = 150


def main() -> None:
    django.setup()
    role, seconds, *rest = sys.argv[1:]
    if role == "declare":
        print(declared())  # noqa: T201  the result
        return
    works = {"web": [pushing(rest[0])], "tick": [ticking()], "operator": [asking]}[role]
    done: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    until = time.monotonic() + float(seconds)

    def repeat(work):
        while time.monotonic() < until:
            try:
                done.update(work())
            except Exception as e:  # noqa: BLE001  every error counts
                errors[f"{type(e).__name__}: {e}"] += 1

    threads = [threading.Thread(target=repeat, args=(work,)) for work in works * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"done": done, "errors": errors}))  # noqa: T201  the result


def declared():
    from accounts.models import Account, AccountGroup  # noqa: PLC0415  Django comes first
    from accounts.services import tokens  # noqa: PLC0415

    group = AccountGroup.objects.create(name="agents")
    Account.objects.bulk_create(
        Account(server="S", login=n + 1, provider="push", lifecycle="DEPLOYED", group=group)
        for n in range(ACCOUNTS)
    )
    return tokens.create(group=group, name="agent", actor="test")[1]


def pushing(secret):
    from accounts import services  # noqa: PLC0415  Django comes first
    from accounts.core import mt5  # noqa: PLC0415
    from accounts.models import Account  # noqa: PLC0415
    from accounts.services.ingest import Delivery, ingest  # noqa: PLC0415
    from tests.unit.accounts.examples import POSITION, state  # noqa: PLC0415
    from tests.unit.accounts.pushes import body, encoded  # noqa: PLC0415

    accounts = list(Account.objects.all())
    broker = Sink()

    def work():
        deliveries = []
        for account in random.sample(accounts, random.choice((1, 30, 100))):  # noqa: S311  no secret
            now = state(positions=random.choice(((), (POSITION,))))  # noqa: S311  no secret
            said = mt5.push(encoded(body(account.server, account.login, now)))
            deliveries.append(Delivery(secret, account.uuid, said))
        answers = ingest(deliveries=deliveries, now=django.utils.timezone.now())
        urgent = sorted(answer.key for answer in answers if answer.urgent)
        report, _ = services.publish_pushed(
            account_ids=urgent, now=django.utils.timezone.now(), brokers=[broker]
        )
        return {"pushes": len(answers), "messages": sum(report.messages.values())}

    return work


def ticking():
    from accounts import services  # noqa: PLC0415  Django comes first

    broker = Sink()

    def work():
        broker.comes_and_goes()
        report = services.publish_shard(shard=0, now=django.utils.timezone.now(), brokers=[broker])
        return {"visits": not report.skipped}

    return work


def asking():
    from accounts import services  # noqa: PLC0415  Django comes first
    from accounts.models import Account  # noqa: PLC0415

    # As often as that, and not as fast as it can.
    threading.Event().wait(0.05)
    return {"asked": services.request_snapshots(accounts=Account.objects.all())}


class Sink:
    """An `Outlet` that takes everything, and is away every third second."""

    name = "nats"

    def __init__(self):
        self.lost = None

    def comes_and_goes(self):
        if int(time.monotonic()) % 2:
            self.lost = django.utils.timezone.now()

    def lost_at(self):
        return self.lost

    def check(self, within_s):
        from accounts.core.errors import BrokerAway  # noqa: PLC0415  Django comes first

        if int(time.monotonic()) % 3 == 0:
            raise BrokerAway("away")

    def publish(self, messages, within_s):
        return [""] * len(messages)

    def publish_events(self, events, within_s):
        return [""] * len(events)

    def counts(self):
        from accounts.publish.outlet import Counts  # noqa: PLC0415  Django comes first

        return Counts()

    def warning(self):
        return ""


if __name__ == "__main__":
    main()
