// The story that every generated client must be able to tell, with the types that
// openapi-typescript makes of the document and openapi-fetch.
import createClient, { type Middleware } from "openapi-fetch";
import type { paths } from "./api.js";

const base = process.env.AIMS_BASE;
if (!base) throw new Error("AIMS_BASE is the address of the server");
const unique = Date.now().toString(36) + Math.random().toString(36).slice(2);
const email = `owner-${unique}@fjordlys.example`;
const password = "four small boats leave";

let token = "";
const signedIn: Middleware = {
  onRequest({ request }) {
    if (token) request.headers.set("Authorization", `Bearer ${token}`);
    return request;
  },
};
const api = createClient<paths>({ baseUrl: base });
api.use(signedIn);

/** The data of a success; anything else ends the story. */
function got<T>(what: string, answer: { data?: T; error?: unknown; response: Response }): T {
  if (answer.data === undefined) {
    throw new Error(`${what}: ${answer.response.status} ${JSON.stringify(answer.error)}`);
  }
  return answer.data;
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

// A firm signs up, and its owner signs in.
const firm = got(
  "sign-up",
  await api.POST("/v1/consultancies", {
    body: { name: "Fjordlys Advisory", owner: { name: "Signe Dahl", email, password } },
  }),
);
const tokens = got("sign-in", await api.POST("/v1/auth/login", { body: { email, password } }));
token = tokens.access_token;
const me = got("me", await api.GET("/v1/me"));

// A client, for which she works herself, and its top management invited.
const tenant = got(
  "client",
  await api.POST("/v1/tenants", {
    body: { consultancy_id: firm.id, name: "Aurelia Lending B.V.", time_zone: "Europe/Amsterdam" },
  }),
);
const inTenant = { tenant_id: tenant.id };
const engaged = { consultancy_id: firm.id, engagement_id: tenant.engagement_id };
got(
  "assignment",
  await api.POST("/v1/consultancies/{consultancy_id}/engagements/{engagement_id}/assignments", {
    params: { path: engaged },
    body: { user_id: me.id, role: "lead" },
  }),
);
const invitation = got(
  "invitation",
  await api.POST("/v1/tenants/{tenant_id}/invitations", {
    params: { path: inTenant },
    body: { email: `tm-${unique}@aurelia.example`, roles: ["top_management"] },
  }),
);
check(invitation.roles.includes("top_management"), "the invitation names the role");

// A system, criteria and risks.
const system = got(
  "system",
  await api.POST("/v1/tenants/{tenant_id}/ai-systems", {
    params: { path: inTenant },
    body: {
      title: "LoanLens",
      purpose: "Credit score of consumers",
      intended_use: "Ranks loan applications; a human decides below the cut-off",
      technique: "classical_ml",
      autonomy: 2,
      origin: "built",
      decision_effect: "decide_with_human",
      personal_data: true,
      criticality: 5,
    },
  }),
);
const point = (name: string) => ({ name, meaning: `This is ${name}.` });
const criteria = got(
  "criteria",
  await api.POST("/v1/tenants/{tenant_id}/risk-criteria", {
    params: { path: inTenant },
    body: {
      title: "AI risk criteria",
      likelihood_scale: ["rare", "unlikely", "possible", "likely", "frequent"].map(point),
      consequence_scale: ["negligible", "minor", "moderate", "major", "severe"].map(point),
      levels: [
        { level: "low", from: 1, to: 4 },
        { level: "medium", from: 5, to: 9 },
        { level: "high", from: 10, to: 16 },
        { level: "critical", from: 17, to: 25 },
      ],
      tolerance: "low",
      risk_owner_accepts_up_to: "medium",
      top_management_accepts_up_to: "high",
    },
  }),
);
check(criteria.status === "draft", "criteria begin as a draft");
const titles = ["Proxy discrimination", "Drift", "Opaque ranking"];
for (const title of titles) {
  got(
    title,
    await api.POST("/v1/tenants/{tenant_id}/risks", {
      params: { path: inTenant },
      body: { title, source: "machine_learning", category: "people", ai_system_id: system.id },
    }),
  );
}

// Pages to the end, each risk once.
const seen: string[] = [];
let cursor: string | undefined;
do {
  const page = got(
    "page",
    await api.GET("/v1/tenants/{tenant_id}/risks", {
      params: { path: inTenant, query: { limit: 2, sort: "ref", cursor } },
    }),
  );
  for (const risk of page.items) if (risk.title) seen.push(risk.title);
  cursor = page.next_cursor ?? undefined;
} while (cursor);
check(seen.join() === titles.join(), `the pages hold ${seen.join()}`);

// What was read is changed once; the same version again is stale.
const found = await api.GET("/v1/tenants/{tenant_id}/ai-systems/{id}", {
  params: { path: { ...inTenant, id: system.id } },
});
got("read", found);
const etag = found.response.headers.get("ETag");
check(etag !== null, "what is read has an ETag");
const rename = () =>
  api.PATCH("/v1/tenants/{tenant_id}/ai-systems/{id}", {
    params: { path: { ...inTenant, id: system.id }, header: { "If-Match": etag } },
    body: { title: "LoanLens 2" },
  });
const renamed = got("change", await rename());
check(renamed.purpose === system.purpose, "a patch leaves the other fields as they are");
const stale = await rename();
check(stale.response.status === 412, `a stale change is ${stale.response.status}`);
check(stale.error?.status === 412, "the problem tells its status");

// What is wrong is told where.
const wrong = await api.POST("/v1/tenants/{tenant_id}/risks", {
  params: { path: inTenant },
  body: { title: "   ", source: "machine_learning", category: "people" },
});
check(wrong.response.status === 422, `a blank title is ${wrong.response.status}`);
check(wrong.error?.errors?.[0]?.pointer === "/title", "the problem tells the place");

// The session goes on with new tokens.
check(tokens.refresh_token !== null, "there is a refresh token");
const fresh = got(
  "refresh",
  await api.POST("/v1/auth/refresh", { body: { refresh_token: tokens.refresh_token } }),
);
token = fresh.access_token;
got("me again", await api.GET("/v1/me"));
console.log("The story is told.");
