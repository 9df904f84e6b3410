"""The story that every generated client must be able to tell, with the client that
openapi-python-client makes of the document."""

import os
import uuid

from aims_client import AuthenticatedClient, Client
from aims_client.api.account import get_me
from aims_client.api.ai_systems import create_ai_system, get_ai_system, update_ai_system
from aims_client.api.consultancies import create_consultancy
from aims_client.api.engagements import create_assignment
from aims_client.api.members import create_tenant_invitation
from aims_client.api.risk_criteria import create_risk_criteria
from aims_client.api.risks import create_risk, list_risks
from aims_client.api.sign_in import create_session, refresh_session
from aims_client.api.tenants import create_tenant
from aims_client import models as m
from aims_client.types import UNSET

BASE = os.environ["AIMS_BASE"]
PASSWORD = "four small boats leave"


def got(what, answer, kind):
    """The body of a success; anything else ends the story."""
    if not isinstance(answer.parsed, kind):
        raise SystemExit(f"{what}: {answer.status_code} {answer.content!r}")
    return answer.parsed


def check(holds, what):
    if not holds:
        raise SystemExit(what)


unique = uuid.uuid4().hex
email = f"owner-{unique}@fjordlys.example"
anybody = Client(base_url=BASE)

# A firm signs up, and its owner signs in.
owner = m.NewOwner(name="Signe Dahl", email=email, password=PASSWORD)
new_firm = m.NewConsultancy(name="Fjordlys Advisory", owner=owner)
firm = got("sign-up", create_consultancy.sync_detailed(client=anybody, body=new_firm), m.Consultancy)
login = m.Login(email=email, password=PASSWORD)
tokens = got("sign-in", create_session.sync_detailed(client=anybody, body=login), m.TokenPair)
api = AuthenticatedClient(base_url=BASE, token=tokens.access_token)
me = got("me", get_me.sync_detailed(client=api), m.Me)

# A client, for which she works herself, and its top management invited.
new_tenant = m.NewTenant(
    consultancy_id=firm.id, name="Aurelia Lending B.V.", time_zone="Europe/Amsterdam"
)
tenant = got("client", create_tenant.sync_detailed(client=api, body=new_tenant), m.BegunTenant)
assigned = create_assignment.sync_detailed(
    firm.id,
    tenant.engagement_id,
    client=api,
    body=m.NewAssignment(user_id=me.id, role=m.AssignmentRole.LEAD),
)
got("assignment", assigned, m.Assignment)
invited = create_tenant_invitation.sync_detailed(
    tenant.id,
    client=api,
    body=m.NewTenantInvitation(
        email=f"tm-{unique}@aurelia.example", roles=[m.Role.TOP_MANAGEMENT]
    ),
)
invitation = got("invitation", invited, m.Invitation)
check("top_management" in [str(role) for role in invitation.roles], "the invitation names the role")

# A system, criteria and risks.
new_system = m.AiSystemInput(
    title="LoanLens",
    purpose="Credit score of consumers",
    intended_use="Ranks loan applications; a human decides below the cut-off",
    technique=m.Technique.CLASSICAL_ML,
    autonomy=2,
    origin=m.Origin.BUILT,
    decision_effect=m.DecisionEffect.DECIDE_WITH_HUMAN,
    personal_data=True,
    criticality=5,
)
made = create_ai_system.sync_detailed(tenant.id, client=api, body=new_system)
system = got("system", made, m.AiSystem)
likelihood = ["rare", "unlikely", "possible", "likely", "frequent"]
consequence = ["negligible", "minor", "moderate", "major", "severe"]
bands = [("low", 1, 4), ("medium", 5, 9), ("high", 10, 16), ("critical", 17, 25)]
new_criteria = m.RiskCriteriaInput(
    title="AI risk criteria",
    likelihood_scale=[m.ScalePoint(name=name, meaning=f"This is {name}.") for name in likelihood],
    consequence_scale=[m.ScalePoint(name=name, meaning=f"This is {name}.") for name in consequence],
    levels=[m.LevelBand(level=m.Level(level), from_=low, to=high) for level, low, high in bands],
    tolerance=m.Level.LOW,
    risk_owner_accepts_up_to=m.Level.MEDIUM,
    top_management_accepts_up_to=m.Level.HIGH,
)
made = create_risk_criteria.sync_detailed(tenant.id, client=api, body=new_criteria)
criteria = got("criteria", made, m.RiskCriteria)
check(criteria.status == m.RiskCriteriaState.DRAFT, "criteria begin as a draft")
titles = ["Proxy discrimination", "Drift", "Opaque ranking"]
for title in titles:
    new_risk = m.RiskInput(
        title=title,
        source=m.RiskSource.MACHINE_LEARNING,
        category=m.RiskCategory.PEOPLE,
        ai_system_id=system.id,
    )
    made = create_risk.sync_detailed(tenant.id, client=api, body=new_risk)
    got(title, made, m.Risk)

# Pages to the end, each risk once.
seen, cursor = [], UNSET
while cursor is not None:
    answer = list_risks.sync_detailed(
        tenant.id, client=api, limit=2, sort=m.ListRisksSort.REF, cursor=cursor
    )
    page = got("page", answer, m.RiskPage)
    seen.extend(risk.title for risk in page.items)
    cursor = page.next_cursor
check(seen == titles, f"the pages hold {seen}")

# What was read is changed once; the same version again is stale.
found = get_ai_system.sync_detailed(tenant.id, system.id, client=api)
got("read", found, m.AiSystem)
etag = found.headers["ETag"]
rename = lambda: update_ai_system.sync_detailed(
    tenant.id, system.id, client=api, if_match=etag, body=m.AiSystemPatch(title="LoanLens 2")
)
renamed = got("change", rename(), m.AiSystem)
check(renamed.purpose == system.purpose, "a patch leaves the other fields as they are")
stale = rename()
check(stale.status_code == 412, f"a stale change is {stale.status_code}")
check(isinstance(stale.parsed, m.Problem) and stale.parsed.status == 412, "the problem is read")

# What is wrong is told where.
blank = m.RiskInput(
    title="   ", source=m.RiskSource.MACHINE_LEARNING, category=m.RiskCategory.PEOPLE
)
wrong = create_risk.sync_detailed(tenant.id, client=api, body=blank)
check(wrong.status_code == 422, f"a blank title is {wrong.status_code}")
check(wrong.parsed.errors[0].pointer == "/title", "the problem tells the place")

# The session goes on with new tokens.
refresh = m.Refresh(refresh_token=tokens.refresh_token)
fresh = got("refresh", refresh_session.sync_detailed(client=anybody, body=refresh), m.TokenPair)
api = AuthenticatedClient(base_url=BASE, token=fresh.access_token)
got("me again", get_me.sync_detailed(client=api), m.Me)
print("The story is told.")
