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
