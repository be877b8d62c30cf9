"""What a stream is, said in JetStream's own words instead of in columns."""

from django.db import migrations

NANOSECONDS = 1_000_000_000


def put_together(apps, schema_editor):
    streams = apps.get_model("streams", "Stream").objects.using(schema_editor.connection.alias)
    for stream in streams.all():
        stream.config = {
            "subjects": stream.subjects,
            "retention": stream.retention,
            "storage": stream.storage,
            "max_age": stream.max_age_s * NANOSECONDS,
            "max_msgs": stream.max_msgs or -1,
            "max_bytes": stream.max_bytes or -1,
        }
        stream.save(update_fields=["config"])


class Migration(migrations.Migration):
    dependencies = [("streams", "0003_control_plane")]

    operations = [
        migrations.RunPython(put_together, migrations.RunPython.noop),
        migrations.RemoveConstraint(
            model_name='stream',
            name='streams_stream_retention_known',
        ),
        migrations.RemoveConstraint(
            model_name='stream',
            name='streams_stream_storage_known',
        ),
        migrations.RemoveField(
            model_name='stream',
            name='max_age_s',
        ),
        migrations.RemoveField(
            model_name='stream',
            name='max_bytes',
        ),
        migrations.RemoveField(
            model_name='stream',
            name='max_msgs',
        ),
        migrations.RemoveField(
            model_name='stream',
            name='retention',
        ),
        migrations.RemoveField(
            model_name='stream',
            name='storage',
        ),
        migrations.RemoveField(
            model_name='stream',
            name='subjects',
        ),
    ]
