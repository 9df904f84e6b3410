//! Deadlines with warning days of their own, at an instant, or with an escalation.

use super::{Place, Rehearsal};

const COLUMNS: &str = "name, due_on, set_on, person_id, due_at, warn, escalate_after, escalate_to";

#[actix_web::test]
async fn a_deadline_may_have_its_own_warning_days() {
    let rehearsal = Rehearsal::start("own_days");
    rehearsal.at("2027-01-11T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let record = place.risk_to_review("Certificate", "2030-01-01").await;
    let owner = place.risk_owner.id;
    let values = format!(
        "'certificate_expiry', '2027-12-31', '2027-01-11', '{owner}', NULL, '{{180,90,30}}', NULL, '{{}}'"
    );
    place.deadline(&record, COLUMNS, &values).await;

    // Looked at again and again, of steps that lie months apart.
    for day in ["07-03", "07-04", "09-30", "10-02", "11-30", "12-01", "12-31"] {
        rehearsal.at(&format!("2027-{day}T12:00:00Z")).await;
    }

    let said = |days: i32| format!("Certificate expiry of RSK-001 is due in {days} days");
    assert_eq!(
        rehearsal.told(&place.risk_owner),
        [said(180), said(90), said(30)]
    );
}

#[actix_web::test]
async fn what_is_due_at_an_instant_is_mentioned_to_the_minute() {
    let rehearsal = Rehearsal::start("instant");
    rehearsal.at("2027-02-17T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let record = place.risk_to_review("Notice", "2030-01-01").await;
    let owner = place.risk_owner.id;
    let values = format!(
        "'notice', '2027-02-20', '2027-02-17', '{owner}', '2027-02-20T22:40:00Z', NULL, NULL, '{{}}'"
    );
    place.deadline(&record, COLUMNS, &values).await;
    let told_at = async |instant: &str| {
        rehearsal.at(instant).await;
        rehearsal.told(&place.risk_owner).len()
    };

    for (before, at) in [
        ("2027-02-19T22:39:40Z", "2027-02-19T22:40:00Z"),
        ("2027-02-20T16:39:40Z", "2027-02-20T16:40:00Z"),
        ("2027-02-20T22:39:40Z", "2027-02-20T22:40:00Z"),
    ] {
        let told = rehearsal.told(&place.risk_owner).len();
        assert_eq!(told_at(before).await, told, "{before}");
        assert_eq!(told_at(at).await, told + 1, "{at}");
    }

    let notice = |when: &str| format!("Notice of RSK-001 {when}");
    assert_eq!(
        rehearsal.told(&place.risk_owner),
        ["is due in 24 hours", "is due in 6 hours", "is due now"].map(notice)
    );
    let text = rehearsal.mails_to(&place.risk_owner)[0].text();
    assert!(
        text.contains("Due date:      Saturday, 20 February 2027, 23:40 (Europe/Amsterdam)"),
        "{text}"
    );
    let manager = rehearsal.again(&place.manager).await;
    let overdue = place.client.path("deadlines?state=overdue");
    rehearsal.at("2027-02-20T22:41:00Z").await;
    let overdue = manager.get(&overdue, 200).await;
    assert_eq!(overdue["items"][0]["due_at"], "2027-02-20T22:40:00Z");
}

#[actix_web::test]
async fn an_escalation_reaches_other_roles_after_its_days() {
    let rehearsal = Rehearsal::start("escalation");
    rehearsal.at("2027-02-17T09:00:00Z").await;
    let place = Place::open(&rehearsal).await;
    let record = place.risk_to_review("Policy", "2030-01-01").await;
    let (owner, id) = (place.risk_owner.id, uuid::Uuid::now_v7());
    let values = format!(
        "'acknowledgement/{id}', '2027-02-20', '2027-02-17', '{owner}', NULL, '{{0}}', 14, '{{aims_manager}}'"
    );
    place.deadline(&record, COLUMNS, &values).await;

    place.pass("2027-02-18", 60).await;

    let overdue = |days: i32| format!("Acknowledgement of RSK-001 is {days} days overdue");
    let mut own = vec!["Acknowledgement of RSK-001 is due today".to_owned()];
    own.extend([7, 14, 21, 28].map(overdue));
    assert_eq!(rehearsal.told(&place.risk_owner), own);
    assert_eq!(
        rehearsal.told(&place.manager),
        [14, 21, 28].map(overdue)
    );
}
