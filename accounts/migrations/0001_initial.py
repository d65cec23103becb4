import django.contrib.auth.validators
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import accounts.models
import core.ids
import core.indexes


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.CreateModel(
            name="User",
            fields=[
                ("password", models.CharField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "username",
                    models.CharField(
                        error_messages={"unique": "A user with that username already exists."},
                        help_text="Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.",
                        max_length=150,
                        unique=True,
                        validators=[django.contrib.auth.validators.UnicodeUsernameValidator()],
                        verbose_name="username",
                    ),
                ),
                ("first_name", models.CharField(blank=True, max_length=150, verbose_name="first name")),
                ("last_name", models.CharField(blank=True, max_length=150, verbose_name="last name")),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False,
                        help_text="Designates whether the user can log into this admin site.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                ("date_joined", models.DateTimeField(default=django.utils.timezone.now, verbose_name="date joined")),
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("email", models.EmailField(blank=True, default="", max_length=254, verbose_name="email address")),
                (
                    "plan",
                    models.CharField(
                        choices=accounts.models.plan_choices, default=accounts.models.signup_plan, max_length=20
                    ),
                ),
                ("is_suspended", models.BooleanField(default=False, verbose_name="suspended")),
                ("granted_scopes", models.JSONField(blank=True, default=list)),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
            ],
            options={
                "permissions": [("suspend_user", "Can suspend and resume users")],
            },
            managers=[
                ("objects", accounts.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("row_version", models.PositiveBigIntegerField(default=1, editable=False)),
                ("key_prefix", models.CharField(editable=False, max_length=8)),
                ("digest", models.CharField(editable=False, max_length=64)),
                ("previous_digest", models.CharField(blank=True, default="", editable=False, max_length=64)),
                ("previous_valid_until", models.DateTimeField(blank=True, editable=False, null=True)),
                ("type", models.CharField(choices=accounts.models.key_type_choices, default="live", max_length=10)),
                ("name", models.CharField(blank=True, default="", max_length=100)),
                ("scopes", models.JSONField(default=list)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("allowed_networks", models.JSONField(blank=True, default=list)),
                ("pinned_version", models.PositiveSmallIntegerField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="api_keys",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "API key",
                "verbose_name_plural": "API keys",
                "permissions": [("revoke_apikey", "Can revoke API keys")],
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("actor_name", models.CharField(blank=True, default="", editable=False, max_length=150)),
                ("action", models.CharField(editable=False, max_length=60)),
                ("subject", models.CharField(editable=False, max_length=100)),
                ("details", models.JSONField(default=dict, editable=False)),
                ("address", models.GenericIPAddressField(editable=False, null=True)),
                (
                    "actor",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "audit entries",
            },
        ),
        migrations.CreateModel(
            name="DeprecatedCall",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("version", models.PositiveSmallIntegerField()),
                ("route", models.CharField(max_length=100)),
                ("calls", models.PositiveBigIntegerField()),
                ("first_called_at", models.DateTimeField()),
                ("last_called_at", models.DateTimeField()),
                (
                    "key",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deprecated_calls",
                        to="accounts.apikey",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DeprecationNotice",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("subject", models.CharField(max_length=110)),
                ("kind", models.CharField(choices=accounts.models.deprecation_notice_kind_choices, max_length=20)),
                ("due", models.CharField(blank=True, default="", max_length=40)),
                ("calls", models.PositiveBigIntegerField()),
                ("email_due_at", models.DateTimeField(blank=True, null=True)),
                ("emailed_at", models.DateTimeField(blank=True, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RevokedToken",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("token_id", models.CharField(editable=False, max_length=64, unique=True)),
                ("expires_at", models.DateTimeField(db_index=True, editable=False)),
                (
                    "user",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="SecondFactor",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("salt", models.CharField(editable=False, max_length=64)),
                ("last_step", models.BigIntegerField(default=0, editable=False)),
                (
                    "user",
                    models.OneToOneField(
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="second_factor",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="RecoveryCode",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("digest", models.CharField(editable=False, max_length=64)),
                ("used_at", models.DateTimeField(editable=False, null=True)),
                (
                    "factor",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="recovery_codes",
                        to="accounts.secondfactor",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("email"),
                condition=models.Q(("email", ""), _negated=True),
                name="accounts_user_email_unique",
            ),
        ),
        migrations.AddIndex(
            model_name="apikey",
            index=core.indexes.NamedIndex(fields=["user", "-created_at"], name="idx_api_keys_user"),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.UniqueConstraint(models.F("key_prefix"), name="idx_api_keys_key_prefix"),
        ),
        migrations.AddIndex(
            model_name="auditentry",
            index=core.indexes.NamedIndex(fields=["-created_at"], name="idx_audit_created"),
        ),
        migrations.AddIndex(
            model_name="deprecatedcall",
            index=core.indexes.NamedIndex(fields=["-last_called_at"], name="idx_deprecated_calls_last"),
        ),
        migrations.AddIndex(
            model_name="deprecatedcall",
            index=core.indexes.NamedIndex(fields=["version", "last_called_at"], name="idx_deprecated_calls_version"),
        ),
        migrations.AddConstraint(
            model_name="deprecatedcall",
            constraint=models.UniqueConstraint(
                models.F("key"), models.F("version"), models.F("route"), name="idx_deprecated_calls_unique"
            ),
        ),
        migrations.AddIndex(
            model_name="deprecationnotice",
            index=core.indexes.NamedIndex(fields=["-created_at"], name="idx_deprecation_notices_created"),
        ),
        migrations.AddIndex(
            model_name="deprecationnotice",
            index=core.indexes.NamedIndex(
                condition=models.Q(("email_due_at__isnull", False)),
                fields=["email_due_at"],
                name="idx_deprecation_notices_email",
            ),
        ),
        migrations.AddConstraint(
            model_name="deprecationnotice",
            constraint=models.UniqueConstraint(
                models.F("subject"),
                models.F("user"),
                models.F("kind"),
                models.F("due"),
                name="idx_deprecation_notices_unique",
            ),
        ),
        migrations.AddConstraint(
            model_name="recoverycode",
            constraint=models.UniqueConstraint(
                models.F("factor"), models.F("digest"), name="idx_recovery_codes_factor_digest"
            ),
        ),
    ]
