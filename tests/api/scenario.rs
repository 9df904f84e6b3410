//! The scenario of a consultancy and its client (domain model section 15), as far as the kinds
//! go: steps 1, 7, 9 and 18 with their refusals, and the database after each refusal.

use serde_json::{Value, json};

use crate::kinds::example;
use crate::support::actors::{PASSWORD, sign_in};
use crate::support::{App, Client, Firm, Person, Setup, TenantWorld};

/// Sets the clock and lets everybody sign in again, because their tokens have ended.
async fn on(app: &App, day: &str, people: &mut [&mut Person]) {
    let now = json!({"now": format!("{day}T09:00:00Z")});
    app.anonymous()
        .send(
            reqwest::Method::PUT,
            "/test/clock",
            &[],
            Some(now.to_string()),
        )
        .await
        .expect(200);
    for person in people {
        **person = sign_in(app, &person.email, PASSWORD).await;
    }
}

/// What the database has of a tenant: records with their states, events, approved versions.
async fn state(app: &App, client: &TenantWorld<'_>) -> (i64, i64, i64) {
    (
        app.count(client.id, "records", "true").await,
        app.count(client.id, "events", "action <> 'refused'").await,
        app.count(client.id, "versions", "true").await,
    )
}

async fn make(by: &Person, client: &TenantWorld<'_>, path: &str, body: &Value) -> String {
    let made = by.api.post(&client.path(path), body, 201).await;
    format!("{}/{path}/{}", client.base, made["id"].as_str().unwrap())
}

fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

#[actix_web::test]
async fn fjordlys_takes_aurelia_from_engagement_to_closed_management_review() {
    let app = &Setup::named("scenario").with_test_clock().start();

    // Step 1, 2027-01-11: the engagement, and who does not see it.
    on(app, "2027-01-11", &mut []).await;
    let firm = Firm::sign_up(app, "Fjordlys Advisory").await;
    let client = firm.client("Aurelia Lending B.V.").await;
    let other = firm.client("Kestrel Clinics").await;
    let mut lead = firm.hire("Lena Lead", "lead").await;
    let mut consultant = firm.hire("Cleo Nord", "consultant").await;
    let stranger = firm.hire("Stig Vester", "consultant").await;
    firm.assign(&lead, &client, "lead").await;
    firm.assign(&consultant, &client, "consultant").await;
    firm.assign(&stranger, &other, "consultant").await;
    let mut top = client.staff("Tess de Wit", &["top_management"]).await;
    let mut manager = client
        .staff_by(&top, "Mara Visser", &["aims_manager"], None)
        .await;
    let mut risk_owner = client
        .staff_by(&top, "Rik Bos", &["risk_owner", "system_owner"], None)
        .await;
    client
        .staff_by(&manager, "Emma Staal", &["employee"], None)
        .await;
    for address in [
        client.base.clone(),
        client.path("risks"),
        client.path("members"),
    ] {
        stranger.api.get(&address, 404).await;
    }
    stranger.api.get(&other.base, 200).await;

    // Step 7, 2027-02-22: criteria, systems, risks. No rating before the criteria are approved.
    on(
        app,
        "2027-02-22",
        &mut [
            &mut lead,
            &mut consultant,
            &mut top,
            &mut manager,
            &mut risk_owner,
        ],
    )
    .await;
    let system = make(&consultant, &client, "ai-systems", &example("ai_system")).await;
    let mut risk = example("risk");
    risk["ai_system_id"] = json!(id_of(&system));
    risk["owner_id"] = json!(risk_owner.id);
    risk["inherent"] = json!({"likelihood": 3, "consequence": 5});
    let before = state(app, &client).await;
    let refused = consultant.api.post(&client.path("risks"), &risk, 422).await;
    assert_eq!(refused["rule"], "RSK-1");
    assert_eq!(state(app, &client).await, before);

    let criteria = make(
        &consultant,
        &client,
        "risk-criteria",
        &example("risk_criteria"),
    )
    .await;
    let before = state(app, &client).await;
    let refused = lead.api.transition(&criteria, "approved", None, 403).await;
    assert_eq!(refused["rule"], "GEN-1");
    assert_eq!(state(app, &client).await, before);
    top.api.transition(&criteria, "approved", None, 200).await;

    let mut risks = Vec::new();
    for (title, likelihood, consequence, level) in [
        ("Proxy discrimination", 3, 5, "high"),
        ("Drift", 3, 3, "medium"),
        ("Opaque ranking", 3, 4, "high"),
        ("Silent change at the supplier", 3, 3, "medium"),
        ("Wrong advice", 4, 3, "high"),
        ("Prompt injection", 2, 4, "medium"),
    ] {
        risk["title"] = json!(title);
        risk["inherent"] = json!({"likelihood": likelihood, "consequence": consequence});
        let made = consultant.api.post(&client.path("risks"), &risk, 201).await;
        assert_eq!(made["level"], level, "{title}");
        risks.push(client.path(&format!("risks/{}", made["id"].as_str().unwrap())));
    }
    let high = consultant
        .api
        .get(&client.path("risks?level=high&sort=ref"), 200)
        .await;
    let titles: Vec<_> = high["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|risk| risk["title"].clone())
        .collect();
    assert_eq!(
        titles,
        ["Proxy discrimination", "Opaque ranking", "Wrong advice"]
    );

    // Step 9, 2027-03-15: treated only by rule, then accepted by the risk owner.
    on(
        app,
        "2027-03-15",
        &mut [&mut consultant, &mut top, &mut manager, &mut risk_owner],
    )
    .await;
    let proxy = &risks[0];
    for stage in ["analysed", "evaluated", "treating"] {
        consultant.api.transition(proxy, stage, None, 200).await;
    }
    let mut treatment = example("risk_treatment");
    treatment["risk_id"] = json!(id_of(proxy));
    let treatment = make(&consultant, &client, "risk-treatments", &treatment).await;
    let before = state(app, &client).await;
    let refused = risk_owner.api.transition(proxy, "treated", None, 422).await;
    assert_eq!(refused["rule"], "RSK-2");
    assert_eq!(state(app, &client).await, before);
    assert_eq!(risk_owner.api.get(proxy, 200).await["status"], "treating");

    risk_owner
        .api
        .transition(&treatment, "approved", None, 200)
        .await;
    for stage in ["in_progress", "implemented"] {
        risk_owner
            .api
            .transition(&treatment, stage, None, 200)
            .await;
    }
    consultant
        .api
        .patch(
            &treatment,
            &json!({"effectiveness_result": "Selection ratio 0.71 before, 0.86 after"}),
            200,
        )
        .await;
    risk_owner
        .api
        .transition(&treatment, "effective", None, 200)
        .await;
    let residual = json!({"residual": {"likelihood": 2, "consequence": 4}});
    let left = consultant.api.patch(proxy, &residual, 200).await;
    assert_eq!(left["residual"]["level"], "medium");
    let mut acceptance = example("residual_acceptance");
    acceptance["risk_id"] = json!(id_of(proxy));
    acceptance["valid_until"] = json!("2028-03-14");
    let acceptance = make(&consultant, &client, "residual-acceptances", &acceptance).await;
    risk_owner.api.transition(proxy, "treated", None, 422).await;
    let accepted = risk_owner
        .api
        .transition(&acceptance, "accepted", None, 200)
        .await;
    assert_eq!(accepted["accepted_by"], json!(risk_owner.id));
    let treated = risk_owner.api.transition(proxy, "treated", None, 200).await;
    assert_eq!(
        (&treated["status"], &treated["level"]),
        (&json!("treated"), &json!("medium"))
    );

    // Step 18, 2027-06-28: the management review.
    on(
        app,
        "2027-06-28",
        &mut [&mut consultant, &mut top, &mut manager, &mut risk_owner],
    )
    .await;
    let review = json!({"title": "Management review 2027", "planned_on": "2027-06-28", "owner_id": manager.id});
    let review = make(&manager, &client, "management-reviews", &review).await;
    let inputs = [
        "earlier_actions",
        "changed_issues",
        "changed_needs",
        "nonconformity_trend",
        "measurement_trend",
        "audit_results",
        "improvement_chances",
    ];
    for input in &inputs[..6] {
        let body = json!({"summary": format!("{input}: reported")});
        consultant
            .api
            .put(&format!("{review}/inputs/{input}"), &review, &body, 200)
            .await;
    }
    let before = state(app, &client).await;
    let refused = manager
        .api
        .transition(&review, "inputs_ready", None, 422)
        .await;
    assert_eq!(refused["rule"], "MR-1");
    assert!(
        refused["detail"]
            .as_str()
            .unwrap()
            .contains("improvement_chances")
    );
    assert_eq!(state(app, &client).await, before);
    consultant
        .api
        .put(
            &format!("{review}/inputs/improvement_chances"),
            &review,
            &json!({"summary": "Faster decisions"}),
            200,
        )
        .await;
    manager
        .api
        .transition(&review, "inputs_ready", None, 200)
        .await;

    let action = |kind: &str, text: &str| json!({"kind": kind, "text": text, "owner_id": manager.id, "due_on": "2027-09-30"});
    let held = json!({
        "held_on": "2027-06-28",
        "attendees": [{"person_id": top.id, "function": "Managing director"}, {"person_id": manager.id}],
        "minutes": "All inputs were discussed; five decisions were taken.",
        "decisions": [
            action("improvement", "Train the officers on automation bias"),
            action("improvement", "Shorten the way to a human decision"),
            action("change", "Take AskAurelia into the scope of the internal audit"),
            action("resource", "One more data engineer"),
            action("other", "Report to the works council"),
        ],
    });
    manager.api.patch(&review, &held, 200).await;
    manager.api.transition(&review, "held", None, 200).await;
    let refused = manager
        .api
        .transition(&review, "minutes_approved", None, 403)
        .await;
    assert_eq!(refused["rule"], "GEN-1");
    top.api
        .transition(&review, "minutes_approved", None, 200)
        .await;
    on(
        app,
        "2027-07-02",
        &mut [&mut manager, &mut stranger.clone()],
    )
    .await;
    let closed = manager.api.transition(&review, "closed", None, 200).await;
    assert_eq!(closed["decisions"].as_array().unwrap().len(), 5);

    // Step 24: another client's people see nothing of it, and the history names everybody.
    let stranger = sign_in(app, &stranger.email, PASSWORD).await;
    for address in [proxy, &treatment, &acceptance, &review] {
        stranger.api.get(address, 404).await;
        let own = address.replace(&client.base, &other.base);
        stranger.api.get(&own, 404).await;
    }
    let history = manager.api.get(&format!("{proxy}/history"), 200).await;
    let newest = &history["items"][0];
    assert_eq!(
        (&newest["action"], &newest["actor_id"]),
        (&json!("moved"), &json!(risk_owner.id))
    );
    let data = &newest["data"];
    assert_eq!(
        (&data["from"], &data["to"]),
        (&json!("treating"), &json!("treated"))
    );
    assert_eq!(data["changes"]["current"][0], json!(null), "{data}");

    // The export of the trail shows every refusal above, with who and when, and its chain holds.
    let trail = whole_trail(&manager.api, &client.path("events")).await;
    let refusals: Vec<(&str, &str)> = trail
        .iter()
        .filter(|event| event["action"] == "refused")
        .map(|event| {
            (
                event["data"]["rule"].as_str().unwrap(),
                event["actor_id"].as_str().unwrap(),
            )
        })
        .collect();
    for (rule, who) in [
        ("GEN-1", &manager.id),
        ("RSK-2", &risk_owner.id),
        ("MR-1", &manager.id),
    ] {
        assert!(
            refusals.contains(&(rule, who.to_string().as_str())),
            "{rule} by {who}: {refusals:?}"
        );
    }
    for (before, event) in trail.iter().zip(&trail[1..]) {
        assert_eq!(event["prev_hash"], before["hash"], "{event}");
    }
    let address = format!(
        "{}?action=refused&actor_id={}",
        client.path("events"),
        risk_owner.id
    );
    let own = manager.api.get(&address, 200).await;
    assert!(
        own["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|event| event["actor_id"] == json!(risk_owner.id))
    );
    stranger.api.get(&client.path("events"), 404).await;
}

/// All events of a trail, page by page.
async fn whole_trail(api: &Client, address: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    let mut query = "limit=200".to_owned();
    loop {
        let page = api.get(&format!("{address}?{query}"), 200).await;
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(cursor) = page["next_cursor"].as_str() else {
            return all;
        };
        query = format!("limit=200&cursor={cursor}");
    }
}
