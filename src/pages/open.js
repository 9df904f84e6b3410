"use strict";

const form = document.getElementById("form");
const message = document.getElementById("message");
const article = document.getElementById("record");
const button = form.querySelector("button");
const path = location.hash.slice(1);
const isRecord = /^\/v1\/tenants\/[0-9a-f-]{36}\/[a-z-]+\/[0-9a-f-]{36}$/.test(path);
/** Shown above the fields, or of use to machines only. */
const elsewhere = ["id", "ref", "title", "status", "owner", "owner_id", "version", "created_by", "updated_by"];

function say(text, tone) {
    message.textContent = text;
    message.className = tone;
    message.focus();
}

function element(name, text) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    return made;
}

function words(name) {
    const text = name.replace(/_id$/, "").replaceAll("_", " ");
    return text.charAt(0).toUpperCase() + text.slice(1);
}

function isEmpty(value) {
    return value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

function isId(value) {
    return typeof value === "string" && /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(value);
}

/** A rating of a risk, as people write it. */
function rating({ likelihood, consequence, score, level }) {
    return `${likelihood} × ${consequence} = ${score}, ${level}`;
}

/** One value as an element or text: instants in the reader's zone, lists as lists. */
function shown(value) {
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (Array.isArray(value)) {
        const list = element("ul");
        for (const item of value) {
            const entry = element("li");
            entry.append(shown(item));
            list.append(entry);
        }
        return list;
    }
    if (typeof value === "object" && value !== null) return value.likelihood ? rating(value) : fields(value, []);
    if (/^\d{4}-\d\d-\d\dT/.test(value)) return new Date(value).toLocaleString();
    if (/^[a-z]+(_[a-z]+)+$/.test(value)) return value.replaceAll("_", " ");
    return String(value);
}

function fields(record, without) {
    const list = element("dl");
    for (const [name, value] of Object.entries(record)) {
        if (without.includes(name) || isEmpty(value) || isId(value)) continue;
        const about = element("dd");
        about.append(shown(value));
        list.append(element("dt", words(name)), about);
    }
    return list;
}

function show(record, deadlines) {
    const first = { Status: record.status, Responsible: record.owner?.name ?? "nobody" };
    for (const due of deadlines.items) first[words(due.name) + " due"] = due.due_on;
    const ref = element("p", record.ref);
    ref.className = "ref";
    article.replaceChildren(
        ref,
        element("h1", record.title),
        fields(first, []),
        element("h2", "Content"),
        fields(record, elsewhere),
    );
    article.hidden = false;
    form.hidden = true;
    document.title = `${record.ref} ${record.title}`;
}

async function call(method, address, token, body) {
    const headers = {};
    if (body) headers["Content-Type"] = "application/json";
    if (token) headers.Authorization = `Bearer ${token}`;
    const response = await fetch(address, { method, headers, body });
    const text = await response.text();
    const answer = text === "" ? null : JSON.parse(text);
    if (!response.ok) throw new Error(answer?.detail ?? `The server answered ${response.status}.`);
    return answer;
}

/** Signs in, reads, and signs out again: nothing is left behind in the browser. */
async function open() {
    const email = form.elements.namedItem("email").value.trim();
    const password = form.elements.namedItem("password").value;
    const { access_token: token } = await call("POST", "v1/auth/login", null, JSON.stringify({ email, password }));
    try {
        const record = `.${path}`;
        show(await call("GET", `${record}?expand=owner`, token), await call("GET", `${record}/deadlines`, token));
        say("You have been signed out again; reload the page to see the record anew.", "");
    } finally {
        await call("POST", "v1/auth/logout", token).catch(() => {});
    }
}

form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    say("One moment …", "");
    try {
        await open();
    } catch (error) {
        const lost = error instanceof TypeError;
        say(lost ? "The server could not be reached. Try again in a minute." : error.message, "bad");
    }
    button.disabled = false;
});

if (isRecord) {
    form.hidden = false;
    form.elements.namedItem("email").focus();
} else {
    say("This link does not lead to a record. Open the link in the mail once more, as a whole.", "bad");
}
