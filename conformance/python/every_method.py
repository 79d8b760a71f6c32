"""An application's life with the vendor's unchanged SDK: every method once as it should be, and once refused.

Started by python.test.ts, which answers what only the server's own process or a browser can: one line of JSON
out is a question, one line in its answer. The last line out lists every call and what it came to.
"""

import base64
import hashlib
import hmac
import inspect
import json
import sys
import time

from google.protobuf.timestamp_pb2 import Timestamp
from scalekit import ScalekitClient
from scalekit.common.exceptions import (
    ScalekitServerException,
    ScalekitValidateTokenFailureException,
    WebhookVerificationError,
)
from scalekit.common.scalekit import (
    AuthorizationUrlOptions,
    CodeAuthenticationOptions,
    LogoutUrlOptions,
    TokenValidationOptions,
)
from scalekit.v1.clients.clients_pb2 import CustomClaim, OrganizationClient
from scalekit.v1.commons.commons_pb2 import TimeUnit
from scalekit.v1.connections.connections_pb2 import (
    ConnectionProvider,
    ConnectionType,
    CreateConnection,
    Flags,
    UpdateConnection,
)
from scalekit.v1.directories.directories_pb2 import CreateDirectory, DirectoryType
from scalekit.v1.organizations.organizations_pb2 import (
    CreateOrganization,
    SessionPolicyType,
    UpdateOrganization,
)
from scalekit.v1.roles.roles_pb2 import (
    CreateOrganizationRole,
    CreatePermission,
    CreateRole,
    UpdateDefaultOrganizationRolesRequest,
    UpdateRole,
)
from scalekit.v1.users.users_pb2 import (
    CreateMembership,
    CreateUser,
    CreateUserProfile,
    UpdateMembership,
    UpdateUser,
    UpdateUserProfile,
)

NOBODY = "org_999999999999999"
STRANGER = "usr_999999999999999"
NOT_FOUND = "ScalekitNotFoundException"
BAD_REQUEST = "ScalekitBadRequestException"
CALLBACK = "https://app.example.com/callback"

# Clients of agent tools are not Gatewarden's.
CLIENTS = [
    "domain",
    "connection",
    "organization",
    "directory",
    "m2m_client",
    "users",
    "roles",
    "permissions",
    "passwordless",
    "sessions",
    "auth",
    "webauthn",
    "tokens",
]

calls = []


def methods_of(client, prefix):
    members = inspect.getmembers(type(client), inspect.isfunction)
    return [prefix + name for name, _ in members if not name.startswith("_")]


class Recorded:
    """Writes down what each call of a client came to."""

    def __init__(self, client, prefix):
        self._client, self._prefix = client, prefix

    def __getattr__(self, name):
        member = getattr(self._client, name)
        if not callable(member):
            return member

        def call(*given, **named):
            try:
                answer = member(*given, **named)
            except Exception as error:
                calls.append([self._prefix + name, type(error).__name__])
                raise
            calls.append([self._prefix + name, "ok"])
            # Most methods give the call of gRPC back along with its answer.
            return answer[0] if isinstance(answer, tuple) else answer

        return call


class Sdk(Recorded):
    """The vendor's client, with every client of it recorded."""

    def __init__(self, client_id, client_secret):
        sdk = ScalekitClient(URL, client_id, client_secret)
        super().__init__(sdk, "")
        self.methods = methods_of(sdk, "")
        for name in CLIENTS:
            client = getattr(sdk, name)
            setattr(self, name, Recorded(client, name + "."))
            self.methods += methods_of(client, name + ".")


def ask(question, **details):
    print(json.dumps({"ask": question, **details}), flush=True)
    return json.loads(sys.stdin.readline())


def raised(name, call, *given, **named):
    """The call raises this exception."""
    try:
        call(*given, **named)
    except Exception as error:
        assert type(error).__name__ == name, f"{type(error).__name__}: {error}"
        return error
    raise AssertionError(f"expected {name}")


def refused(name, call, *given, **named):
    """The call is refused with this exception, and three attempts at it leave nothing behind."""
    before = ask("rows")
    error = raised(name, call, *given, **named)
    if isinstance(error, ScalekitServerException):
        assert error.message, "the exception has no message"
    after = ask("rows")
    changed = [table for table, content in after.items() if before[table] != content]
    assert changed == [], f"a refused call changed {changed}"


def equal(actual, expected):
    assert actual == expected, f"{actual!r} is not {expected!r}"


def organizations():
    api = sdk.organization
    made = api.create_organization(
        CreateOrganization(display_name="Acme", external_id="acme-1", metadata={"plan": "gold"})
    ).organization
    acme = made.id
    equal(dict(made.metadata), {"plan": "gold"})
    refused(
        BAD_REQUEST,
        api.create_organization,
        CreateOrganization(display_name="Twin", external_id="acme-1"),
    )
    equal(api.get_organization(acme).organization.display_name, "Acme")
    refused(NOT_FOUND, api.get_organization, NOBODY)
    equal(api.get_organization_by_external_id("acme-1").organization.id, acme)
    refused(NOT_FOUND, api.get_organization_by_external_id, "acme-2")
    api.update_organization(acme, UpdateOrganization(display_name="Acme Ltd"))
    refused(NOT_FOUND, api.update_organization, NOBODY, UpdateOrganization(display_name="No"))
    api.update_organization_by_external_id("acme-1", UpdateOrganization(metadata={"plan": "free"}))
    refused(
        NOT_FOUND,
        api.update_organization_by_external_id,
        "acme-2",
        UpdateOrganization(display_name="No"),
    )
    equal(api.list_organizations(page_size=5).total_size, 1)
    refused(BAD_REQUEST, api.list_organizations, page_token="nonsense")
    assert api.generate_portal_link(acme).location.startswith(URL)
    refused(NOT_FOUND, api.generate_portal_link, NOBODY)
    features = [{"name": "sso", "enabled": True}, {"name": "dir_sync", "enabled": True}]
    settings = api.update_organization_settings(acme, features).organization.settings
    equal([feature.enabled for feature in settings.features][:2], [True, True])
    refused(NOT_FOUND, api.update_organization_settings, NOBODY, features)
    equal(api.upsert_user_management_settings(acme, 20).max_allowed_users.value, 20)
    refused(NOT_FOUND, api.upsert_user_management_settings, NOBODY, 20)
    policy = api.update_organization_session_policy(
        acme,
        SessionPolicyType.CUSTOM,
        absolute_session_timeout=8,
        absolute_session_timeout_unit=TimeUnit.HOURS,
    ).policy
    equal(policy.absolute_session_timeout.value, 480)
    refused(NOT_FOUND, api.update_organization_session_policy, NOBODY, SessionPolicyType.APPLICATION)
    equal(api.get_organization_session_policy(acme).policy.policy_source, SessionPolicyType.CUSTOM)
    refused(NOT_FOUND, api.get_organization_session_policy, NOBODY)
    return acme


def domains():
    api = sdk.domain
    made = api.create_domain(acme, "acme.example", "ALLOWED_EMAIL_DOMAIN").domain
    refused(BAD_REQUEST, api.create_domain, acme, "no-domain-at-all")
    equal(api.get_domain(acme, made.id).domain.domain, "acme.example")
    refused(NOT_FOUND, api.get_domain, acme, "dom_999999999999999")
    equal(len(api.list_domains(acme, "ALLOWED_EMAIL_DOMAIN").domains), 1)
    refused(NOT_FOUND, api.list_domains, NOBODY)
    api.delete_domain(acme, made.id)
    refused(NOT_FOUND, api.delete_domain, acme, made.id)


def permissions():
    api = sdk.permissions
    for name in ["doc:read", "doc:write"]:
        api.create_permission(CreatePermission(name=name, description=""))
    refused(BAD_REQUEST, api.create_permission, CreatePermission(name="doc:read"))
    equal(api.get_permission("doc:read").permission.name, "doc:read")
    refused(NOT_FOUND, api.get_permission, "doc:none")
    api.update_permission("doc:read", CreatePermission(name="doc:read", description="Read"))
    refused(NOT_FOUND, api.update_permission, "doc:none", CreatePermission(name="doc:none"))
    assert "doc:read" in [one.name for one in api.list_permissions(page_size=10).permissions]
    refused(BAD_REQUEST, api.list_permissions, page_token="nonsense")
    sdk.roles.create_role(
        CreateRole(name="viewer", display_name="Viewer", permissions=["doc:read"])
    )
    equal(len(api.add_permissions_to_role("viewer", ["doc:write"]).permissions), 2)
    refused(BAD_REQUEST, api.add_permissions_to_role, "viewer", ["doc:none"])
    equal(len(api.list_role_permissions("viewer").permissions), 2)
    refused(NOT_FOUND, api.list_role_permissions, "nobody")
    equal(len(api.list_effective_role_permissions("viewer").permissions), 2)
    refused(NOT_FOUND, api.list_effective_role_permissions, "nobody")
    api.remove_permission_from_role("viewer", "doc:write")
    refused(NOT_FOUND, api.remove_permission_from_role, "viewer", "doc:write")
    api.delete_permission("doc:write")
    refused(NOT_FOUND, api.delete_permission, "doc:write")


def roles():
    api = sdk.roles
    refused(BAD_REQUEST, api.create_role, CreateRole(name="viewer", display_name="Again"))
    api.create_role(CreateRole(name="editor", display_name="Editor", extends="viewer"))
    equal(api.get_role("editor").role.extends, "viewer")
    refused(NOT_FOUND, api.get_role, "nobody")
    assert "editor" in [role.name for role in api.list_roles().roles]
    api.update_role("editor", UpdateRole(display_name="Writer"))
    refused(NOT_FOUND, api.update_role, "nobody", UpdateRole(display_name="x"))
    equal(api.list_dependent_roles("viewer").roles[0].name, "editor")
    refused(NOT_FOUND, api.list_dependent_roles, "nobody")
    api.delete_role_base("editor")
    refused(NOT_FOUND, api.delete_role_base, "nobody")
    equal(api.get_role_users_count("viewer").count, 0)
    refused(NOT_FOUND, api.get_role_users_count, "nobody")
    api.update_default_roles("admin", "viewer")
    api.update_default_roles("admin", "member")
    refused(BAD_REQUEST, api.update_default_roles, "admin", "not-a-name")

    clerk = CreateOrganizationRole(name="clerk", display_name="Clerk", extends="member")
    equal(api.create_organization_role(acme, clerk).role.is_org_role, True)
    refused(BAD_REQUEST, api.create_organization_role, acme, clerk)
    equal(api.get_organization_role(acme, "clerk").role.extends, "member")
    refused(NOT_FOUND, api.get_organization_role, acme, "nobody")
    assert "clerk" in [role.name for role in api.list_organization_roles(acme).roles]
    refused(NOT_FOUND, api.list_organization_roles, NOBODY)
    api.update_organization_role(acme, "clerk", UpdateRole(description="Keeps the books"))
    refused(NOT_FOUND, api.update_organization_role, acme, "nobody", UpdateRole())
    api.delete_organization_role_base(acme, "clerk")
    refused(NOT_FOUND, api.delete_organization_role_base, acme, "nobody")
    equal(api.get_organization_role_users_count(acme, "clerk").count, 0)
    refused(NOT_FOUND, api.get_organization_role_users_count, acme, "nobody")
    default = UpdateDefaultOrganizationRolesRequest
    api.update_default_organization_roles(acme, default(default_member_role="clerk"))
    api.update_default_organization_roles(acme, default(default_member_role="member"))
    refused(
        BAD_REQUEST,
        api.update_default_organization_roles,
        acme,
        default(default_member_role="nobody"),
    )
    api.delete_organization_role(acme, "clerk", "member")
    refused(NOT_FOUND, api.delete_organization_role, acme, "clerk")
    api.delete_role("editor")
    refused(NOT_FOUND, api.delete_role, "editor")


def people():
    api = sdk.users
    user = CreateUser(
        email="ann@acme.example",
        external_id="ann-1",
        metadata={"desk": "1"},
        user_profile=CreateUserProfile(first_name="Ann", last_name="Ace"),
    )
    ann = api.create_user_and_membership(acme, user, send_invitation_email=False).user.id
    bob = CreateUser(email="bob@acme.example", external_id="bob-1")
    refused(NOT_FOUND, api.create_user_and_membership, NOBODY, bob)
    equal(api.get_user(ann).user.user_profile.first_name, "Ann")
    refused(NOT_FOUND, api.get_user, STRANGER)
    equal(api.get_user_by_external_id("ann-1").user.id, ann)
    refused(NOT_FOUND, api.get_user_by_external_id, "ann-2")
    change = UpdateUser(user_profile=UpdateUserProfile(last_name="Base"))
    equal(api.update_user(ann, change).user.user_profile.last_name, "Base")
    refused(NOT_FOUND, api.update_user, STRANGER, change)
    api.update_user_by_external_id("ann-1", UpdateUser(metadata={"desk": "2"}))
    refused(NOT_FOUND, api.update_user_by_external_id, "ann-2", change)
    equal(len(api.list_users(page_size=10).users), 1)
    refused(BAD_REQUEST, api.list_users, page_token="nonsense")
    equal(len(api.list_organization_users(acme, page_size=10).users), 1)
    refused(NOT_FOUND, api.list_organization_users, NOBODY)
    assert api.list_user_roles(acme, ann).roles
    refused(NOT_FOUND, api.list_user_roles, acme, STRANGER)
    api.list_user_permissions(acme, ann)
    refused(NOT_FOUND, api.list_user_permissions, acme, STRANGER)

    created = sdk.organization.create_organization(CreateOrganization(display_name="Other"))
    other = created.organization.id
    api.create_membership(other, ann, CreateMembership(), send_invitation_email=False)
    refused(NOT_FOUND, api.create_membership, other, STRANGER, CreateMembership())
    api.update_membership(other, ann, UpdateMembership(metadata={"floor": "2"}))
    refused(NOT_FOUND, api.update_membership, other, STRANGER, UpdateMembership())
    api.delete_membership(other, ann)
    refused(NOT_FOUND, api.delete_membership, other, ann)
    api.create_membership_by_external_id(other, "ann-1", CreateMembership(), False)
    refused(NOT_FOUND, api.create_membership_by_external_id, other, "ann-2", CreateMembership())
    api.update_membership_by_external_id(other, "ann-1", UpdateMembership())
    refused(NOT_FOUND, api.update_membership_by_external_id, other, "ann-2", UpdateMembership())
    api.delete_membership_by_external_id(other, "ann-1")
    refused(NOT_FOUND, api.delete_membership_by_external_id, other, "ann-2")

    invited = api.create_user_and_membership(acme, bob).user.id
    equal(api.resend_invite(acme, invited).invite.status, "PENDING_INVITE")
    refused(NOT_FOUND, api.resend_invite, acme, STRANGER)
    api.delete_user_by_external_id("bob-1")
    refused(NOT_FOUND, api.delete_user_by_external_id, "bob-1")
    guest = api.create_user_and_membership(acme, CreateUser(email="guest@acme.example"))
    api.delete_user(guest.user.id)
    refused(NOT_FOUND, api.delete_user, guest.user.id)
    return ann


def machines():
    api = sdk.m2m_client
    robot = OrganizationClient(
        name="Robot",
        scopes=["doc:read"],
        audience=["https://api.acme.example"],
        custom_claims=[CustomClaim(key="workspace", value="w1")],
    )
    created = api.create_organization_client(acme, robot)
    client_id = created.client.client_id
    refused(NOT_FOUND, api.create_organization_client, NOBODY, robot)
    equal(api.get_organization_client(acme, client_id).client.name, "Robot")
    refused(NOT_FOUND, api.get_organization_client, NOBODY, client_id)
    api.update_organization_client(acme, client_id, OrganizationClient(name="Robot 2"))
    refused(NOT_FOUND, api.update_organization_client, NOBODY, client_id, robot)
    equal(len(api.list_organization_clients(acme, page_size=10).clients), 1)
    refused(BAD_REQUEST, api.list_organization_clients, acme, page_token="nonsense")
    added = api.add_organization_client_secret(acme, client_id)
    refused(NOT_FOUND, api.add_organization_client_secret, NOBODY, client_id)
    token = sdk.generate_client_token(client_id, added.plain_secret, scopes=["doc:read"])
    claims = sdk.validate_token(
        token,
        TokenValidationOptions(
            issuer=URL, audience=["https://api.acme.example"], required_scopes=["doc:read"]
        ),
    )
    equal([claims["oid"], claims["custom_claims"]], [acme, {"workspace": "w1"}])
    api.remove_organization_client_secret(acme, client_id, added.secret.id)
    refused(NOT_FOUND, api.remove_organization_client_secret, acme, client_id, added.secret.id)
    # It signs in with its first secret, and is let in nowhere.
    machine = Sdk(client_id, created.plain_secret)
    refused("ScalekitForbiddenException", machine.roles.list_roles)
    raised("ScalekitUnauthorizedException", sdk.generate_client_token, client_id, "test_wrong")
    api.delete_organization_client(acme, client_id)
    refused(NOT_FOUND, api.delete_organization_client, acme, client_id)


def api_keys():
    api = sdk.tokens
    ends = Timestamp(seconds=int(time.time()) + 3600)
    made = api.create_token(acme, ann, {"team": "a"}, ends, "CI")
    refused(NOT_FOUND, api.create_token, NOBODY)
    equal(api.validate_token(made.token).token_info.organization_id, acme)
    refused("ScalekitValidateTokenFailureException", api.validate_token, "no-such-key")
    equal(len(api.list_tokens(acme).tokens), 1)
    refused(BAD_REQUEST, api.list_tokens, acme, page_token="nonsense")
    info = api.update_token(made.token_id, {"place": "b"}, "CI 2").token_info
    equal(dict(info.custom_claims), {"team": "a", "place": "b"})
    refused(NOT_FOUND, api.update_token, "apit_999999999999999", description="x")
    api.invalidate_token(made.token)
    refused(NOT_FOUND, api.invalidate_token, "apit_999999999999999")


def directories():
    api = sdk.directory
    missing = "dir_999999999999999"
    scim = CreateDirectory(directory_type=DirectoryType.SCIM)
    made = api.create_directory(acme, scim).directory.id
    refused(NOT_FOUND, api.create_directory, NOBODY, scim)
    equal(api.get_directory(acme, made).directory.id, made)
    refused(NOT_FOUND, api.get_directory, acme, missing)
    equal(len(api.list_directories(acme).directories), 1)
    refused(NOT_FOUND, api.list_directories, NOBODY)
    equal(api.get_primary_directory_by_organization_id(acme).id, made)
    refused(NOT_FOUND, api.get_primary_directory_by_organization_id, NOBODY)
    equal(api.disable_directory(acme, made).enabled, False)
    refused(NOT_FOUND, api.disable_directory, acme, missing)
    equal(api.enable_directory(acme, made).enabled, True)
    refused(NOT_FOUND, api.enable_directory, acme, missing)
    api.list_directory_users(acme, made, page_size=10, include_detail=True)
    refused(NOT_FOUND, api.list_directory_users, acme, missing)
    api.list_directory_groups(acme, made, page_size=10, include_detail=True)
    refused(NOT_FOUND, api.list_directory_groups, acme, missing)
    api.delete_directory(acme, made)
    refused(NOT_FOUND, api.delete_directory, acme, made)


def connections():
    api = sdk.connection
    missing = "conn_999999999999999"
    okta = CreateConnection(provider=ConnectionProvider.OKTA, type=ConnectionType.OIDC)
    made = api.create_connection(acme, okta).connection.id
    refused(NOT_FOUND, api.create_connection, NOBODY, okta)
    equal(api.get_connection(acme, made).connection.id, made)
    refused(NOT_FOUND, api.get_connection, acme, missing)
    refused(BAD_REQUEST, api.enable_connection, acme, made)
    ask("complete", organization=acme, connection=made, token=sdk.get_client_access_token())
    equal(api.enable_connection(acme, made).enabled, True)
    equal(api.list_connections(acme, include="all").connections[0].id, made)
    refused(NOT_FOUND, api.list_connections, NOBODY)
    api.list_connections_by_domain("acme.example")
    refused(BAD_REQUEST, api.list_connections_by_domain, "a" * 40 + ".example")
    equal(api.list_app_connections(page_size=5).total_size, 0)
    refused(BAD_REQUEST, api.list_app_connections, page_token="nonsense")
    equal(api.disable_connection(acme, made).enabled, False)
    refused(NOT_FOUND, api.disable_connection, acme, missing)
    api.delete_connection(acme, made)
    refused(NOT_FOUND, api.delete_connection, acme, made)

    google = CreateConnection(provider=ConnectionProvider.GOOGLE, type=ConnectionType.OAUTH)
    social = api.create_environment_connection(google, Flags(is_login=True)).connection.id
    refused(BAD_REQUEST, api.create_environment_connection, CreateConnection())
    equal(api.get_environment_connection(social).connection.id, social)
    refused(NOT_FOUND, api.get_environment_connection, missing)
    change = UpdateConnection(provider=ConnectionProvider.GOOGLE, type=ConnectionType.OAUTH)
    change.oauth_config.client_id.value = "an-id-of-google"
    api.update_environment_connection(social, change)
    refused(NOT_FOUND, api.update_environment_connection, missing, change)


def sign_in():
    shop = sdk
    ask("callback", token=sdk.get_client_access_token())
    options = AuthorizationUrlOptions()
    options.scopes = ["openid", "profile", "email", "offline_access"]
    options.state, options.nonce = "st", "n-1"
    code = ask("sign-in", url=shop.get_authorization_url(CALLBACK, options))
    signed_in = shop.authenticate_with_code(code, CALLBACK, CodeAuthenticationOptions())
    equal(signed_in["user"]["email"], "ann+sktest@example.com")
    access_token = signed_in["access_token"]
    claims = shop.validate_access_token_and_get_claims(
        access_token, TokenValidationOptions(issuer=URL)
    )
    equal(claims["sub"], signed_in["user"]["id"])
    failure = ScalekitValidateTokenFailureException.__name__
    changed = access_token[:-4] + "AAAA"
    refused(failure, shop.validate_access_token_and_get_claims, changed)
    equal([shop.validate_access_token(one) for one in [access_token, changed]], [True, False])
    try:
        shop.validate_token(changed)
        raise AssertionError("a changed token passed")
    except Exception as error:
        assert "ignature" in str(error), error
    equal(shop.verify_scopes(access_token, ["openid"]), True)
    refused(failure, shop.verify_scopes, access_token, ["admin:all"])
    refreshed = shop.refresh_access_token(signed_in["refresh_token"])
    assert refreshed["refresh_token"] != signed_in["refresh_token"]
    raised(BAD_REQUEST, shop.refresh_access_token, "rt_unknown")
    raised(BAD_REQUEST, shop.authenticate_with_code, "x", CALLBACK, CodeAuthenticationOptions())
    assert "/oidc/logout" in shop.get_logout_url(LogoutUrlOptions(state="st"))
    wrong = shop._client.core_client
    kept, wrong.client_secret = wrong.client_secret, "test_wrong"
    raised("ScalekitUnauthorizedException", shop.get_client_access_token)
    wrong.client_secret = kept
    token = ask("idp-token", organization=acme)
    equal(shop.get_idp_initiated_login_claims(token)["organization_id"], acme)
    refused(failure, shop.get_idp_initiated_login_claims, token[:-4] + "AAAA")
    sessions(claims["sub"], claims["sid"])


def sessions(person, session):
    api = sdk.sessions
    equal(api.get_session(session).user_id, person)
    refused(NOT_FOUND, api.get_session, "ses_999999999999999")
    found = api.get_user_sessions(person, page_size=5, filter=api.create_session_filter())
    equal(found.total_size, 1)
    refused(BAD_REQUEST, api.get_user_sessions, person, page_token="nonsense")
    equal(api.revoke_session(session).revoked_session.session_id, session)
    refused(NOT_FOUND, api.revoke_session, "ses_999999999999999")
    equal(api.revoke_all_user_sessions(person).total_revoked, 0)
    refused(NOT_FOUND, api.revoke_all_user_sessions, STRANGER)


def passwordless():
    api = sdk.passwordless
    email = "carol@example.com"
    sent = api.send_passwordless_email(email, template="SIGNIN", state="kept", expires_in=3600)
    equal(sent.expires_in, 3600)
    refused(BAD_REQUEST, api.send_passwordless_email, "not-an-address")
    api.resend_passwordless_email(sent.auth_request_id)
    refused(NOT_FOUND, api.resend_passwordless_email, "unknown-request")
    code = ask("code", email=email)
    proof = api.verify_passwordless_email(code=code, auth_request_id=sent.auth_request_id)
    equal([proof.email, proof.state], [email, "kept"])
    refused(
        BAD_REQUEST,
        api.verify_passwordless_email,
        code=code,
        auth_request_id=sent.auth_request_id,
    )


def passkeys():
    api = sdk.webauthn
    credential = ask("passkey", user=ann)
    equal(api.list_credentials(ann).credentials[0].id, credential)
    refused(NOT_FOUND, api.list_credentials, STRANGER)
    equal(api.update_credential(credential, "Phone").credential.display_name, "Phone")
    refused(NOT_FOUND, api.update_credential, "cred_999999999999999", "Phone")
    equal(api.delete_credential(credential).success, True)
    refused(NOT_FOUND, api.delete_credential, credential)


def receiving():
    key = bytes(range(32))
    secret = "whsec_" + base64.b64encode(key).decode()
    body, now = '{"type":"user.login"}', str(int(time.time()))
    mac = hmac.new(key, f"evt_1.{now}.{body}".encode(), hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(mac).decode()
    for kind in ["webhook", "interceptor"]:
        verify = getattr(sdk, f"verify_{kind}_payload")
        headers = {f"{kind}-id": "evt_1", f"{kind}-timestamp": now, f"{kind}-signature": signature}
        equal(verify(secret, headers, body), True)
        refused(WebhookVerificationError.__name__, verify, secret, headers, body + " ")


def own_login():
    report = sdk.auth.update_login_user_details
    login = ask("own-login", token=sdk.get_client_access_token())
    user = {"sub": "customer-42", "email": "ada@customer.example"}
    report(login["connectionId"], login["loginRequestId"], user)
    refused(NOT_FOUND, report, login["connectionId"], "lri_999999999999999", user)


def renewal():
    """The token that the channel was made with is old by now, the one in the metadata is new: either must do."""
    ask("later", days=2)
    equal(sdk.organization.get_organization(acme).organization.id, acme)


URL, CLIENT_ID, CLIENT_SECRET = sys.argv[1:4]
sdk = Sdk(CLIENT_ID, CLIENT_SECRET)
acme = organizations()
domains()
permissions()
roles()
ann = people()
machines()
api_keys()
directories()
connections()
sign_in()
passwordless()
passkeys()
receiving()
own_login()
renewal()
sdk.organization.delete_organization(acme)
refused(NOT_FOUND, sdk.organization.delete_organization, acme)
print(json.dumps({"methods": sorted(sdk.methods), "calls": calls}), flush=True)
