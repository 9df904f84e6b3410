//! Tasks: their owner sees and does them, whatever their role.

use serde_json::json;

use super::{example, world};

#[actix_web::test]
async fn an_employee_sees_and_does_the_own_task_and_no_other() {
    let world = world("Tasks").await;
    let employee = world.client.staff("Emma Staal", &["employee"]).await;
    let other = world.client.staff("Bram Peters", &["employee"]).await;
    let mut task = example("task");
    task["owner_id"] = json!(employee.id);
    let path = world.make(&world.manager, "tasks", task).await;

    other.api.get(&path, 404).await;
    let list = world.client.path("tasks");
    assert_eq!(other.api.get(&list, 200).await["items"], json!([]));
    assert_eq!(employee.api.get(&path, 200).await["status"], "open");
    assert_eq!(employee.api.get(&list, 200).await["items"][0]["priority"], "high");
    let options = employee.api.get(&format!("{path}/transitions"), 200).await;
    assert_eq!(options["items"][0]["or_person_of"], json!(["owner"]));
    employee.api.transition(&path, "done", None, 200).await;
}

#[actix_web::test]
async fn the_owner_of_a_task_does_it_whatever_their_role() {
    let world = world("Roles").await;
    for role in ["top_management", "system_owner", "process_owner", "overseer", "internal_auditor", "employee"] {
        let owner = world.client.staff_by(&world.top, "Joost Bakker", &[role], None).await;
        let mut task = example("task");
        task["owner_id"] = json!(owner.id);
        let path = world.make(&world.consultant, "tasks", task.clone()).await;
        let foreign = world.make(&world.consultant, "tasks", example("task")).await;

        owner.api.transition(&path, "doing", None, 200).await;
        let done = owner.api.transition(&path, "done", None, 200).await;

        assert_eq!(done["status"], "done", "{role}");
        let seen = if role == "employee" { 404 } else { 403 };
        owner.api.transition(&foreign, "done", None, seen).await;
    }
}
