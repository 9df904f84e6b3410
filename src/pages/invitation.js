"use strict";

const form = document.getElementById("form");
const message = document.getElementById("message");
const button = form.querySelector("button");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const labels = { "/name": "Your name", "/password": "The password", "/token": "The token in this link" };

// The token shall not stay in the address bar or in the history.
history.replaceState(null, "", location.pathname);

function say(text, tone) {
    message.textContent = text;
    message.className = tone;
    message.focus();
}

/** What a problem says, in sentences with the names of the fields on this page. */
function sentence(problem) {
    const faults = (problem.errors ?? []).map((fault) => `${labels[fault.pointer] ?? fault.pointer} ${fault.detail}.`);
    return faults.length > 0 ? faults.join(" ") : problem.detail;
}

/** Marks the fields a problem complains about. */
function mark(problem) {
    const wrong = (problem.errors ?? []).map((fault) => fault.pointer);
    for (const input of form.querySelectorAll("input")) {
        input.setAttribute("aria-invalid", String(wrong.includes(`/${input.name}`)));
    }
}

async function accept() {
    const name = form.elements.namedItem("name").value.trim();
    const password = form.elements.namedItem("password").value;
    const response = await fetch("v1/invitations/accept", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ token, name: name === "" ? null : name, password }),
    });
    const answer = await response.json();
    if (!response.ok) {
        mark(answer);
        say(sentence(answer), "bad");
        return;
    }
    form.hidden = true;
    const roles = answer.roles.map((role) => role.replaceAll("_", " ")).join(", ");
    say(`Welcome. You belong to ${answer.name} now, as ${roles}. You can sign in with this password from now on.`, "good");
}

form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    say("One moment …", "");
    try {
        await accept();
    } catch {
        say("The server could not be reached. Try again in a minute.", "bad");
    }
    button.disabled = false;
});

if (token) {
    form.hidden = false;
    form.elements.namedItem("name").focus();
} else {
    say("There is no token in this link. Open the link in the mail once more, as a whole.", "bad");
}
