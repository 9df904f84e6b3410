//! Measurements and analyses of a metric: in bulk and once, page by page, faulty ones, and what
//! somebody concludes from them.

use serde_json::{Value, json};

use super::metric::{analysis, hours_ago, measure, value};
use super::{in_days, world};

/// As many rows, an hour from one to the next, the newest now.
fn hourly(count: i64) -> Vec<Value> {
    (0..count)
        .rev()
        .map(|hour| value(0.1, &hours_ago(hour + 1)))
        .collect()
}

#[actix_web::test]
async fn a_thousand_measurements_are_one_event_and_known_when_they_come_again() {
    let world = world("Bulk").await;
    let metric = world.metric().await;
    let rows = json!(hourly(1_000));
    let history = format!("{metric}/history?limit=200");
    let before = world.manager.api.get(&history, 200).await;

    let added = measure(&world.risk_owner.api, &metric, rows.clone(), 200).await;
    assert_eq!(added, json!({"added": 1_000, "known": 0}));
    let after = world.manager.api.get(&history, 200).await;
    let version = world.manager.api.get(&metric, 200).await["version"].clone();
    let again = measure(&world.consultant.api, &metric, rows, 200).await;

    assert_eq!(again, json!({"added": 0, "known": 1_000}));
    let events = |history: &Value| history["items"].as_array().unwrap().len();
    assert_eq!(events(&after), events(&before) + 1, "{after}");
    let event = &after["items"][0];
    assert_eq!(
        (&event["action"], &event["data"]["count"]),
        (&json!("rows_added"), &json!(1_000))
    );
    assert_eq!(event["actor_id"], json!(world.risk_owner.id));
    assert_eq!(event["data"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(event["data"]["changes"]["last_measured_at"][0], json!(null));
    assert_eq!(world.manager.api.get(&history, 200).await, after);
    assert_eq!(
        world.manager.api.get(&metric, 200).await["version"],
        version
    );
    let tenant = world.client.id;
    assert_eq!(
        crate::support::app()
            .count(tenant, "rows", "list = 'measurements'")
            .await,
        1_000
    );
}

#[actix_web::test]
async fn measurements_are_read_in_pages_to_the_end_and_by_time() {
    let world = world("Pages").await;
    let metric = world.metric().await;
    let rows = hourly(3_000);
    for thousand in rows.chunks(1_000) {
        measure(&world.risk_owner.api, &metric, json!(thousand), 200).await;
    }

    let list = format!("{metric}/measurements?limit=200");
    let (mut seen, mut path) = (Vec::new(), list.clone());
    loop {
        let page = world.top.api.get(&path, 200).await;
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["at"].clone()),
        );
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{list}&cursor={cursor}"),
            None => break,
        }
    }
    let sent: Vec<Value> = rows.iter().map(|row| row["at"].clone()).collect();
    assert_eq!(seen, sent);

    let (from, until) = (
        rows[10]["at"].as_str().unwrap(),
        rows[12]["at"].as_str().unwrap(),
    );
    let some = world
        .top
        .api
        .get(&format!("{list}&from={from}&until={until}"), 200)
        .await;
    assert_eq!(some["items"].as_array().unwrap().len(), 3);
    assert_eq!(some["next_cursor"], json!(null));
    let of_other = format!("{metric}/measurements?limit=100&from={from}&until={until}");
    let first = world.top.api.get(&of_other.replace("100", "1"), 200).await;
    let cursor = first["next_cursor"].as_str().unwrap();
    world
        .top
        .api
        .get(&format!("{list}&cursor={cursor}"), 400)
        .await;
}

#[actix_web::test]
async fn wrong_measurements_are_refused_with_their_places_and_none_is_kept() {
    let world = world("Wrong").await;
    let metric = world.metric().await;
    let right = || value(0.1, &hours_ago(1));
    for (wrong, pointer) in [
        (
            json!({"value": "much", "at": hours_ago(2)}),
            "/items/3/value",
        ),
        (json!({"value": null, "at": hours_ago(2)}), "/items/3/value"),
        (json!({"at": hours_ago(2)}), "/items/3/value"),
        (value(0.1, "yesterday"), "/items/3/at"),
        (value(0.1, &hours_ago(-1)), "/items/3/at"),
        (
            json!({"value": 0.1, "at": hours_ago(2), "segment": " "}),
            "/items/3/segment",
        ),
        (
            json!({"value": 0.1, "at": hours_ago(2), "colour": "red"}),
            "/items/3/colour",
        ),
    ] {
        let rows = json!([right(), right(), right(), wrong, right()]);
        let refused = measure(&world.risk_owner.api, &metric, rows, 422).await;
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{wrong}");
    }
    let rows = json!([
        value(0.1, &hours_ago(-2)),
        right(),
        value(0.1, &hours_ago(-1))
    ]);
    let refused = measure(&world.risk_owner.api, &metric, rows, 422).await;
    assert_eq!(refused["errors"][0]["pointer"], "/items/0/at");
    assert_eq!(
        refused["errors"][1]["pointer"], "/items/2/at",
        "all of them are told"
    );
    let alone = json!([value(0.1, &hours_ago(-1))]);
    let refused = measure(&world.risk_owner.api, &metric, alone, 422).await;
    assert_eq!(refused["errors"][0]["pointer"], "/items/0/at");
    let single = measure(
        &world.risk_owner.api,
        &metric,
        value(0.1, &hours_ago(-1)),
        422,
    )
    .await;
    assert_eq!(single["errors"][0]["pointer"], "/at");
    let huge = format!("{{\"value\": 1e999, \"at\": \"{}\"}}", hours_ago(1));
    let list = format!("{metric}/measurements");
    let sent = world
        .risk_owner
        .api
        .send(reqwest::Method::POST, &list, &[], Some(huge))
        .await;
    sent.expect(400);

    let list = world.top.api.get(&list, 200).await;
    assert_eq!(list["items"], json!([]));
}

#[actix_web::test]
async fn a_measurement_stays_as_it_is_to_the_last_digit_and_the_microsecond() {
    let world = world("Digits").await;
    let metric = world
        .metric_with(json!({"threshold": {"at_least": -1e300}, "target": null}))
        .await;
    let at = |second: usize| format!("2026-05-01T10:00:{second:02}.123456789+02:00");
    let numbers = [
        0.1 + 0.2,
        0.873_452_341_234_567_8,
        1e308,
        5e-324,
        -0.0,
        7.038_531e-26,
    ];
    let rows: Vec<Value> = numbers
        .iter()
        .enumerate()
        .map(|(index, number)| value(*number, &at(index)))
        .collect();

    measure(&world.risk_owner.api, &metric, json!(rows), 200).await;
    let again = measure(&world.risk_owner.api, &metric, json!(rows), 200).await;
    assert_eq!(again, json!({"added": 0, "known": rows.len()}));
    let list = world
        .top
        .api
        .get(&format!("{metric}/measurements"), 200)
        .await;
    for (row, number) in list["items"].as_array().unwrap().iter().zip(numbers) {
        assert_eq!(row["value"].as_f64(), Some(number));
    }
    assert_eq!(list["items"][0]["at"], "2026-05-01T08:00:00.123456Z");

    let other = value(0.4, &at(0));
    let refused = measure(&world.risk_owner.api, &metric, json!([rows[1], other]), 409).await;
    assert_eq!(refused["errors"][0]["pointer"], "/items/1");
    let mut segment = value(0.4, &at(0));
    segment["segment"] = json!("applicants under 25");
    assert_eq!(
        measure(&world.risk_owner.api, &metric, segment, 200).await["added"],
        1
    );
}

#[actix_web::test]
async fn somebody_concludes_every_six_months_and_who_is_named_analyst_may() {
    let world = world("Analysed").await;
    let employee = world.client.staff("Emma Staal", &["employee"]).await;
    let analyst = world
        .client
        .staff("Pieter Smit", &["internal_auditor"])
        .await;
    let metric = world.metric_with(json!({"analyst_id": analyst.id})).await;
    let list = format!("{metric}/analyses");
    let analyse_by = async || world.top.api.get(&metric, 200).await["analyse_by"].clone();
    let today: chrono::NaiveDate = in_days(0).parse().unwrap();
    let half_a_year = (today + chrono::Months::new(6)).to_string();
    assert_eq!(analyse_by().await, json!(half_a_year));
    let deadlines = world.top.api.get(&format!("{metric}/deadlines"), 200).await;
    let analysis_due = deadlines["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|due| due["name"] == "analysis");
    assert_eq!(analysis_due.unwrap()["person_id"], json!(analyst.id));

    for (wrong, pointer) in [
        (json!({"until": in_days(1)}), "/until"),
        (json!({"until": "2025-12-31"}), "/until"),
        (json!({"conclusion": "Fine."}), "/conclusion"),
        (json!({"trend": "sideways"}), "/trend"),
        (json!({"concluded_by": employee.id}), "/concluded_by"),
    ] {
        let mut faulty = analysis("2026-05-31");
        for (name, field) in wrong.as_object().unwrap() {
            faulty[name] = field.clone();
        }
        let refused = analyst.api.post(&list, &faulty, 422).await;
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{wrong}");
    }
    employee.api.post(&list, &analysis("2026-05-31"), 404).await;
    world
        .top
        .api
        .post(&list, &analysis("2026-05-31"), 403)
        .await;
    analyst.api.post(&list, &analysis("2026-05-31"), 200).await;
    assert_eq!(
        analyse_by().await,
        json!(half_a_year),
        "the first half-year is not over"
    );
    analyst.api.post(&list, &analysis(&in_days(0)), 200).await;
    let again = world
        .manager
        .api
        .post(&list, &analysis(&in_days(0)), 200)
        .await;
    assert_eq!(again, json!({"added": 0, "known": 1}));

    let listed = world.top.api.get(&list, 200).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!(listed["items"][1]["concluded_by"], json!(analyst.id));
    let now = world.top.api.get(&metric, 200).await;
    assert_eq!(now["analysed_until"], json!(in_days(0)));
    assert_eq!(
        now["last_measured_at"],
        json!(null),
        "to conclude is not to measure"
    );
}
