"""The three streams that every installation begins with."""

from django.db import migrations

DEFAULTS = [
    ("MARKET_DATA", ["market.>"], 3_600, 1_000_000),
    ("SYSTEM_EVENTS", ["system.>"], 86_400, 100_000),
    ("SERVICE_LOGS", ["service.>"], 604_800, 500_000),
]


def declare(apps, schema_editor):
    streams = apps.get_model("streams", "Stream").objects.using(schema_editor.connection.alias)
    for name, subjects, max_age_s, max_msgs in DEFAULTS:
        streams.get_or_create(
            name=name,
            defaults={
                "subjects": subjects,
                "retention": "limits",
                "storage": "file",
                "max_age_s": max_age_s,
                "max_msgs": max_msgs,
            },
        )


class Migration(migrations.Migration):
    dependencies = [("streams", "0001_initial")]
    operations = [migrations.RunPython(declare, migrations.RunPython.noop)]
