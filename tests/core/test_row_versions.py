"""Every change of a row increments its version, however it is written."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from accounts.models import ApiKey
from core.exceptions import PreconditionFailed
from core.row_versions import claim_version, lock_if_unchanged
from core.triggers.definitions import expected_triggers, versioned_models
from core.triggers.install import drop_triggers, install_triggers, installed_triggers
from renders.models import Project, Render
from tests.factories import make_asset, make_minted_key, make_project, make_render, make_template, make_user

pytestmark = pytest.mark.django_db


def version_of(row):
    return type(row)._base_manager.values_list("row_version", flat=True).get(pk=row.pk)


@pytest.fixture
def project():
    return make_project(make_user("alice"))


def by_save(row):
    row.save()


def by_save_of_one_field(row):
    row.save(update_fields=["name"])


def by_update(row):
    Project.objects.filter(pk=row.pk).update(name="other")


def by_bulk_update(row):
    Project.objects.bulk_update([row], ["name"])


def by_update_or_create(row):
    Project.objects.update_or_create(pk=row.pk, defaults={"name": "other"})


def by_raw_sql(row):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE renders_project SET name = 'other'")


@pytest.mark.parametrize(
    "write", [by_save, by_save_of_one_field, by_update, by_bulk_update, by_update_or_create, by_raw_sql]
)
def test_every_way_of_writing_increments_the_version(project, write):
    assert version_of(project) == 1
    write(project)
    assert version_of(project) == 2
    write(project)
    assert version_of(project) == 3


def test_a_write_of_all_columns_never_restores_an_old_version(project):
    stale = Project.objects.get(pk=project.pk)
    for name in ("b", "c", "d"):
        Project.objects.filter(pk=project.pk).update(name=name)
    stale.save()
    assert version_of(project) == 5


def test_a_cascade_that_sets_null_increments_the_version(project):
    render, template = make_render(project.owner, project=project), make_template(project.owner, project_id=project.pk)
    before = version_of(render), version_of(template)
    project.delete()
    assert (version_of(render), version_of(template)) == (before[0] + 1, before[1] + 1)


def test_other_rows_keep_their_version(project):
    other = make_project(project.owner)
    by_save(project)
    assert version_of(other) == 1


def test_triggers_do_not_change_the_number_of_updated_rows(project):
    make_project(project.owner)
    assert Project.objects.update(name="x") == 2
    assert Project.objects.filter(name="y").update(name="z") == 0


def test_every_versioned_model_has_its_trigger():
    names = {trigger.name for trigger in expected_triggers(connection.vendor)}
    assert names <= set(installed_triggers(connection))
    user = make_user("alice")
    rows = [make_project(user), make_template(user), make_asset(user), make_minted_key(user).key, make_render(user)]
    assert {Project, Render, ApiKey} <= set(versioned_models())
    for row in rows:
        before = version_of(row)
        type(row)._base_manager.filter(pk=row.pk).update(created_at=row.created_at)
        assert version_of(row) == before + 1, row


def test_a_claim_needs_the_version_that_was_read(project):
    stale = Project.objects.get(pk=project.pk)
    with transaction.atomic():
        claim_version(project)
    assert (project.row_version, version_of(project)) == (2, 2)
    with pytest.raises(PreconditionFailed), transaction.atomic():
        claim_version(stale)
    with transaction.atomic():
        assert lock_if_unchanged(project)
        assert not lock_if_unchanged(stale)


def test_a_claim_of_a_deleted_row_fails(project):
    Project.objects.filter(pk=project.pk).delete()
    with pytest.raises(PreconditionFailed), transaction.atomic():
        claim_version(project)


def test_installing_missing_triggers_repairs_the_versions(project):
    drop_triggers()
    assert installed_triggers(connection) == {}
    by_update(project)
    assert version_of(project) == 1
    created = install_triggers()
    assert f"renderowl_version_{Project._meta.db_table}" in created
    assert version_of(project) == 2
    by_update(project)
    assert version_of(project) == 3
    assert install_triggers() == []


def test_an_outdated_trigger_is_replaced(project, monkeypatch):
    from core.triggers import install

    changed = [
        replace(
            trigger,
            statements=tuple(text.replace("row_version + 1", "row_version + 2") for text in trigger.statements),
        )
        for trigger in expected_triggers(connection.vendor)
        if trigger.table == "renders_project"
    ]
    monkeypatch.setattr(install, "expected_triggers", lambda vendor: changed)
    assert "renderowl_version_renders_project" in install_triggers()
    monkeypatch.undo()
    assert "renderowl_version_renders_project" in install_triggers()
    assert install_triggers() == []


def test_triggers_are_restored_after_a_table_was_rebuilt(project):
    if connection.vendor != "sqlite":
        pytest.skip("only SQLite rebuilds tables")
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER renderowl_version_renders_project")
    call_command("migrate", verbosity=0)
    before = version_of(project)
    by_update(project)
    assert version_of(project) == before + 1
