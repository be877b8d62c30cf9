"""The one server that every installation begins with."""

from django.db import migrations

NAME = "tickplane"


def declare(apps, schema_editor):
    alias = schema_editor.connection.alias
    cluster, _ = apps.get_model("streams", "Cluster").objects.using(alias).get_or_create(name=NAME)
    nodes = apps.get_model("streams", "Node").objects.using(alias)
    nodes.get_or_create(name=NAME, defaults={"cluster": cluster})


class Migration(migrations.Migration):
    dependencies = [("streams", "0004_configuration")]
    operations = [migrations.RunPython(declare, migrations.RunPython.noop)]
