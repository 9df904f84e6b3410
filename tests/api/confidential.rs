//! Records that name their audience: their titles are in no answer to anybody else.

use serde_json::json;

use crate::kinds::{example, in_days, world};

#[actix_web::test]
async fn the_title_of_a_confidential_record_is_in_no_answer_to_others() {
    let world = world("Confidential").await;
    let viewer = world.client.staff("Vidar Blikk", &["viewer"]).await;
    let employee = world.client.staff("Emma Staal", &["employee"]).await;
    for kind in aims::app::kinds().entries() {
        if ![
            "context_issue",
            "ai_system",
            "risk_criteria",
            "task",
            "evidence",
        ]
        .contains(&kind.info.name)
        {
            continue;
        }
        let mut body = example(kind.info.name);
        body["title"] = json!("Xylographer");
        body["next_review_on"] = json!(in_days(20));
        body["audience"] = json!("named");
        body["audience_roles"] = json!(["aims_manager"]);
        let path = world.make(&world.manager, kind.info.path, body).await;
        world.manager.api.get(&path, 200).await;
        let base = &world.client.base;
        for person in [
            &viewer,
            &employee,
            &world.lead,
            &world.risk_owner,
            &world.top,
        ] {
            person.api.get(&path, 404).await;
            for rest in [
                "links",
                "comments",
                "history",
                "versions",
                "deadlines",
                "evidence",
                "transitions",
            ] {
                person.api.get(&format!("{path}/{rest}"), 404).await;
            }
            for list in [
                format!("{base}/{}", kind.info.path),
                format!("{base}/{}?q=xylo", kind.info.path),
                format!("{base}/records?q=xylo"),
                format!("{base}/records"),
                format!("{base}/deadlines"),
                format!("{base}/reminders"),
                format!("{base}/reminders/preview"),
            ] {
                let answer = person
                    .api
                    .send(reqwest::Method::GET, &list, &[], None)
                    .await;
                assert!(
                    [200, 403].contains(&answer.status),
                    "{list}: {}",
                    answer.text
                );
                assert!(
                    !answer.text.contains("Xylographer"),
                    "{list}: {}",
                    answer.text
                );
            }
        }
        let seen = world
            .manager
            .api
            .get(
                &format!("{base}/records?q=xylo&kind={}", kind.info.name),
                200,
            )
            .await;
        assert_eq!(
            seen["items"].as_array().unwrap().len(),
            1,
            "{}",
            kind.info.name
        );
    }
    let due = world
        .manager
        .api
        .get(&format!("{}/deadlines", world.client.base), 200)
        .await;
    assert!(
        due.to_string().contains("Xylographer"),
        "who is named sees it"
    );
}
